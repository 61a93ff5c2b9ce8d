"""storage.encrypt_events: what people said is nowhere on the disk, in files or backups, and everything works as
before; `soma tenant erase` makes all copies unreadable. Its own tests, and others' run again with it on."""

import atexit
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from audit_records import audit_records
from forms import call, upload
from node_under_test import BIN, Node, Reader, Rehearsal, run_tests, wait_until

PLANTED = "zanzibarquux"  # in every kind of text
WRAP, OTHER_WRAP = "11" * 32, "22" * 32
SEALED = {"GATEWAY_ENC_KEY": WRAP, "SOMA_STORAGE_ENCRYPT_EVENTS": "true"}
# Those that the others' tests are run again of; each as it is in CI.
AGAIN = ("integration/transfer_test.py", "integration/feedback_test.py", "integration/memory_test.py")
rehearsal = Rehearsal()


def soma(*arguments, env=None, expect=0, typed=None):
    done = subprocess.run([os.path.join(BIN, "soma"), *arguments], env={**os.environ, **(env or SEALED)},
                          capture_output=True, text=True, timeout=120, input=typed)
    assert done.returncode == expect, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def new_node(settings=(), env=None, **more):
    return Node(rehearsal.base_url, settings=["memory.write=true", *settings], env={**SEALED, **(env or {})}, **more)


def final_answers(node, session):
    return [e for e in node.events(session) if e["type"] == "message.assistant" and e["payload"]["final"]]


def write_all_kinds(node):
    """A session whose title, message and answer have the word; an attachment and its name; a note; a rating."""
    made = upload(node, (PLANTED + ".txt", (PLANTED + " in a file. ").encode() * 9000, "text/plain"))[0]
    session = node.json("POST", "/v1/sessions", {"title": f"{PLANTED} title"}, expect=201)["session_id"]
    node.json("POST", "/v1/session/message", {
        "session_id": session, "message": f"[[rehearsal words=4]] {PLANTED} was said", "attachments": [{"id": made["id"]}]},
        expect=202)
    wait_until(lambda: final_answers(node, session), what="the answer")
    answer = final_answers(node, session)[0]["payload"]["message_id"]
    node.json("POST", "/v1/feedback", {"session_id": session, "message_id": answer, "rating": "not_helpful",
                                       "comment": f"{PLANTED} was not it"}, expect=202)
    status, _, text = node.request("POST", "/v1/memories", {"text": f"{PLANTED} is to be remembered"})
    assert status in (200, 201), text
    return session, made


def found_in(folder, word):
    """Files below a folder that have it."""
    found = []
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as file:
                    if word.encode() in file.read():
                        found.append(os.path.relpath(path, folder))
    return found


def check_all_kinds(node, session, made):
    said = [e["payload"]["text"] for e in node.events(session) if e["type"] == "message.user"]
    assert said == [f"[[rehearsal words=4]] {PLANTED} was said"], said
    titles = [s["title"] for s in node.json("GET", f"/v1/sessions?q={PLANTED}", expect=200)["sessions"]]
    assert titles == [f"{PLANTED} title"], titles
    status, headers, text = call(node, "GET", "/v1/attachments/" + made["id"])
    assert (status, text) == (200, (PLANTED + " in a file. ").encode() * 9000), status
    assert PLANTED in headers["content-disposition"], headers
    status, _, part = call(node, "GET", "/v1/attachments/" + made["id"], headers={"Range": "bytes=65530-65545"})
    assert (status, part) == (206, text[65530:65546]), (status, part)
    wait_until(lambda: [m for m in node.json("GET", f"/v1/memories/search?q={PLANTED}", expect=200)["memories"]
                        if "remembered" in m["text"]], what="the note to be found")


def nothing_is_readable():
    """sealed: texts, titles, names, files, memories and ratings are in no file of the data folder; all is found"""
    node = new_node().start()
    session, made = write_all_kinds(node)
    reader = Reader(node, session)
    wait_until(lambda: any(e["type"] == "message.user" for e in reader.events), what="the stream")
    check_all_kinds(node, session, made)
    status, _, document = node.request("POST", "/v1/sessions/export", {"session_id": session})
    assert status == 200 and PLANTED in document
    forked = node.json("POST", f"/v1/sessions/{session}/fork",
                       {"event_id": node.events(session)[-1]["meta"]["event_id"]}, expect=201)["session_id"]
    assert PLANTED in json.dumps(node.events(forked))
    node.json("DELETE", f"/v1/sessions/{forked}")
    node.kill()  # what is in the write-ahead log alone is looked at, too
    reader.stop()
    assert not found_in(node.data_dir, PLANTED), found_in(node.data_dir, PLANTED)
    node.start()
    check_all_kinds(node, session, made)
    node.stop()
    assert not found_in(node.data_dir, PLANTED), found_in(node.data_dir, PLANTED)


def keys_are_needed():
    """sealed: without GATEWAY_ENC_KEY, or with another, the start is refused and nothing is written"""
    folder = tempfile.mkdtemp(prefix="soma-test-")
    alone = {"SOMA_STORAGE_ENCRYPT_EVENTS": "true", "GATEWAY_ENC_KEY": ""}
    said = soma("serve", "--data-dir", folder, "--port", "0", env=alone, expect=1)
    assert "GATEWAY_ENC_KEY" in said, said
    shutil.rmtree(folder)
    node = new_node().start()
    session, made = write_all_kinds(node)
    node.stop()
    keys = os.path.join(node.data_dir, "tenant-keys")
    before = {name: open(os.path.join(keys, name), "rb").read() for name in os.listdir(keys)}
    for env in ({"GATEWAY_ENC_KEY": OTHER_WRAP}, {"GATEWAY_ENC_KEY": "", "SOMA_STORAGE_ENCRYPT_EVENTS": ""}):
        said = soma("serve", "--data-dir", node.data_dir, "--port", "0", env={**SEALED, **env}, expect=1)
        assert "GATEWAY_ENC_KEY" in said, said
    assert before == {name: open(os.path.join(keys, name), "rb").read() for name in os.listdir(keys)}
    # Another key before the old one wraps all anew; then the old one may go.
    node.env["GATEWAY_ENC_KEY"] = f"{OTHER_WRAP},{WRAP}"
    node.start()
    check_all_kinds(node, session, made)
    node.stop()
    node.env["GATEWAY_ENC_KEY"] = OTHER_WRAP
    node.start()
    check_all_kinds(node, session, made)
    node.stop()


def rotates_while_it_runs():
    """sealed: soma secrets rotate wraps the keys of tenants anew, without a restart"""
    place = tempfile.mkdtemp(prefix="soma-test-")
    path = os.path.join(place, "enc.key")
    env = {"GATEWAY_ENC_KEY": "", "GATEWAY_ENC_KEY_FILE": path, "SOMA_STORAGE_ENCRYPT_EVENTS": "true"}
    soma("secrets", "rotate", env=env)
    node = new_node(env=env).start()
    session, made = write_all_kinds(node)
    keys = os.path.join(node.data_dir, "tenant-keys")
    name = os.listdir(keys)[0]
    before = open(os.path.join(keys, name)).read()
    soma("secrets", "rotate", env=env)
    wait_until(lambda: open(os.path.join(keys, name)).read() != before, what="the rotation")
    with open(path, encoding="utf-8") as file:
        newest = [line for line in file.read().split() if line][0]
    node.stop()
    with open(path, "w", encoding="utf-8") as file:
        file.write(newest + "\n")
    node.start()
    check_all_kinds(node, session, made)
    node.stop()
    shutil.rmtree(place)


def is_switched_on_later():
    """sealed: it is switched on for a store that is there, whose older texts stay as they are, and off again"""
    node = new_node(env={"SOMA_STORAGE_ENCRYPT_EVENTS": "false"}).start()
    session, made = write_all_kinds(node)
    node.stop()
    assert "memory.sqlite" in found_in(node.data_dir, PLANTED)
    node.env["SOMA_STORAGE_ENCRYPT_EVENTS"] = "true"
    node.start()
    check_all_kinds(node, session, made)
    node.say("[[rehearsal words=2]] after xylographq", session)
    wait_until(lambda: len(final_answers(node, session)) == 2, what="the answer")
    node.stop()
    assert not os.path.exists(os.path.join(node.data_dir, "memory.sqlite"))
    assert found_in(node.data_dir, PLANTED) and not found_in(node.data_dir, "xylographq")
    in_memory = os.path.dirname(node.memory_index())
    assert in_memory.startswith("/dev/shm") and os.path.exists(in_memory), in_memory
    node.env["SOMA_STORAGE_ENCRYPT_EVENTS"] = "false"
    node.start()
    assert "xylographq" in json.dumps(node.events(session))
    assert not os.path.exists(in_memory), "words in the clear that nobody takes away"
    node.stop()


def erases_a_tenant():
    """erase: its key is destroyed, all it has is deleted, backups show nothing, its people are told, others stay"""
    place = tempfile.mkdtemp(prefix="soma-test-")
    node = new_node()
    hers = node.new_key("--role", "admin", "--tenant", "hers", "--user", "ann")
    node.start()
    mine = write_all_kinds(node)
    as_her = Node.__new__(Node)
    as_her.__dict__.update(node.__dict__)
    as_her.request = lambda method, path, body=None, headers=None, key=hers, source="127.0.0.1": Node.request(
        node, method, path, body, headers, hers, source)
    session = as_her.json("POST", "/v1/sessions", {"title": "hers alone"}, expect=201)["session_id"]
    as_her.json("POST", "/v1/session/message", {"session_id": session, "message": "[[rehearsal words=2]] hers alone"},
                expect=202)
    wait_until(lambda: final_answers(as_her, session), what="her answer")
    as_her.json("POST", "/v1/memories", {"text": "hers alone to remember"})
    for n in range(6):  # twins, of which a copy may see either first
        for _ in range(2):
            upload(node, ("twin.txt", f"twin {n}".encode(), "text/plain"))
    backups = os.path.join(place, "backups")
    soma("backup", "--data-dir", node.data_dir, backups)
    assert not found_in(backups, "hers alone") and not found_in(backups, PLANTED)
    keys = os.path.join(node.data_dir, "tenant-keys")
    wrapped = {name: open(os.path.join(keys, name)).read() for name in os.listdir(keys)}
    lines = next(text for text in wrapped.values() if "\nhers\n" in text).split("\n")
    assert not found_in(backups, lines[3][:40]), "a backup has the key"
    said = soma("tenant", "erase", "hers", "--yes", "--data-dir", node.data_dir, expect=1)
    assert "stop it first" in said, said
    node.stop()
    kept = os.path.join(place, "kept-keys")
    shutil.copytree(keys, kept)
    said = soma("tenant", "erase", "hers", "--data-dir", node.data_dir, typed="no\n", expect=1)
    assert "1 sessions" in said and "nothing was changed" in said, said
    said = soma("tenant", "erase", "hers", "--data-dir", node.data_dir, typed="hers\n")
    assert "Erased hers: 1 sessions" in said and "unreadable in every backup" in said, said
    assert "In the clear" not in said, said
    assert not found_in(node.data_dir, lines[3][:40]), "the key is still there"
    node.start()
    assert node.request("GET", "/v1/sessions", key=hers)[0] == 401, "her key still holds"
    check_all_kinds(node, *mine)
    records = [r for r in audit_records(node) if r.get("what") == "tenant.erase"]
    assert [r["resource"] for r in records] == ["hers"] and records[0]["outcome"] == "done", records
    node.stop()
    key = node.new_key("--role", "admin", "--tenant", "hers", "--user", "ann")
    node.start()
    for method, path, body in (("GET", "/v1/sessions", None), ("GET", f"/v1/sessions/{session}", None),
                               ("GET", f"/v1/session/{session}/events?after=start", None),
                               ("POST", "/v1/sessions", {"title": "again"})):
        status, _, text = node.request(method, path, body, key=key)
        assert (status, json.loads(text)["code"]) == (410, "tenant.erased"), (method, path, status, text)
    node.stop()
    # A backup of before, with the keys as they are now; and with those that somebody had kept.
    for folder, readable in ((keys, False), (kept, True)):
        into = os.path.join(place, f"restored-{readable}")
        soma("restore", backups, "--data-dir", into)
        said = soma("serve", "--data-dir", into, "--port", "0", expect=1)
        assert "tenant-keys" in said, said  # not begun anew under other keys
        shutil.copytree(folder, os.path.join(into, "tenant-keys"))
        again = new_node(data_dir=into).start()
        status, _, text = again.request("GET", f"/v1/sessions/{session}", key=hers)
        assert (status == 200 and "hers alone" in text) if readable else status == 410, (readable, status, text)
        check_all_kinds(again, *mine)
        again.stop()
    # What makes kept copies worthless: another GATEWAY_ENC_KEY, and the old one destroyed.
    said = soma("serve", "--data-dir", os.path.join(place, "restored-True"), "--port", "0",
                env={**SEALED, "GATEWAY_ENC_KEY": OTHER_WRAP}, expect=1)
    assert "GATEWAY_ENC_KEY" in said, said
    shutil.rmtree(place)


def of_hers(node, key, text):
    status, _, said = node.request("POST", "/v1/memories", {"text": text}, key=key)
    assert status in (200, 201), said


def key_files(node):
    keys = os.path.join(node.data_dir, "tenant-keys")
    return {open(os.path.join(keys, name)).read().split("\n")[1]: os.path.join(keys, name) for name in os.listdir(keys)}


def erasure_refuses():
    """erase: the tenant of SOMA_ADMIN_KEY only when it is said twice, and no id that is more than one line"""
    node = new_node().start()
    session, made = write_all_kinds(node)
    node.stop()
    before = key_files(node)
    said = soma("tenant", "erase", "default", "--yes", "--data-dir", node.data_dir, expect=1)
    assert "SOMA_ADMIN_KEY" in said and "--with-admin-key" in said, said
    for tenant in ("default\n" + session, "none\nat all", "", "-x"):
        said = soma("tenant", "erase", "--yes", "--data-dir", node.data_dir, "--", tenant, expect=1)
        assert "letters" in said, said
    said = soma("tenant", "erase", "nobody", "--yes", "--data-dir", node.data_dir, expect=1)
    assert "there is no tenant nobody" in said, said
    assert key_files(node) == before
    node.start()
    check_all_kinds(node, session, made)
    node.stop()
    said = soma("tenant", "erase", "default", "--yes", "--with-admin-key", "--data-dir", node.data_dir)
    assert "Erased default" in said, said
    node.start()
    assert node.request("GET", "/v1/sessions")[0] == 410
    node.stop()


def erasure_leaves_nothing_on_its_way():
    """erase: rows that wait for SomaBrain go, and so does what was written in the clear, which is counted"""
    node = new_node(env={"SOMA_STORAGE_ENCRYPT_EVENTS": "false", "SOMA_BASE_URL": "http://127.0.0.1:9"})
    hers = node.new_key("--role", "admin", "--tenant", "hers", "--user", "ann")
    node.start()
    of_hers(node, hers, "hers in the clear")
    node.stop()
    node.env["SOMA_STORAGE_ENCRYPT_EVENTS"] = "true"
    node.start()
    of_hers(node, hers, "hers sealed")
    node.stop()
    left = os.path.join(node.data_dir, "backup-under-way")  # of a backup that was killed
    os.mkdir(left)
    with open(os.path.join(left, "file"), "w", encoding="utf-8") as file:
        file.write("hers")
    said = soma("tenant", "erase", "hers", "--yes", "--data-dir", node.data_dir)
    # Two for SomaBrain; and those that the index had not taken yet.
    assert "2 memories" in said and int(re.search(r"(\d+) rows on their way", said)[1]) >= 2, said
    assert "unreadable in every backup" in said and "and 1 memories" in said, said
    assert not os.path.exists(left)
    said = soma("tenant", "erase", "hers", "--yes", "--data-dir", node.data_dir)
    assert "0 memories" in said and "0 rows on their way" in said, said


def erasure_needs_nobody_else():
    """erase: a key is destroyed though another's is damaged, GATEWAY_ENC_KEY is another, or the store does not open"""
    node = new_node()
    users = {name: node.new_key("--role", "admin", "--tenant", name, "--user", "ann") for name in ("hers", "his")}
    node.start()
    session, made = write_all_kinds(node)
    for name, key in users.items():
        of_hers(node, key, name + " alone")
    node.stop()
    files = key_files(node)
    whole = {name: open(path).read() for name, path in files.items()}
    with open(files["default"], "w", encoding="utf-8") as file:
        file.write("damaged")
    said = soma("tenant", "erase", "hers", "--yes", "--data-dir", node.data_dir, env={**SEALED, "GATEWAY_ENC_KEY": OTHER_WRAP})
    assert "Erased hers" in said and "Its key is destroyed" in said, said
    current = os.path.join(node.data_dir, "store", "CURRENT")
    pointed = open(current).read()
    with open(current, "w", encoding="utf-8") as file:
        file.write("nowhere")
    said = soma("tenant", "erase", "his", "--yes", "--data-dir", node.data_dir, expect=1)
    assert "its key is destroyed" in said and "soma repair" in said, said
    assert not found_in(node.data_dir, whole["his"].split("\n")[3][:40]), "the key is still there"
    said = soma("tenant", "erase", "nobody", "--yes", "--data-dir", node.data_dir, expect=1)
    for path, text in ((current, pointed), (files["default"], whole["default"])):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    said = soma("tenant", "erase", "his", "--yes", "--data-dir", node.data_dir)
    assert "Erased his" in said and "1 memories" in said, said
    node.start()
    check_all_kinds(node, session, made)
    node.stop()


def others_tests_hold():
    """sealed: tests of transfers, feedback and memories run again with it on"""
    for name in AGAIN:
        done = subprocess.run([sys.executable, os.path.join(HERE, "..", name)], env={**os.environ, **SEALED},
                              capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, (name, done.stdout[-2000:], done.stderr[-2000:])


def indexes_in_memory():
    return set(glob.glob(f"/dev/shm/soma-{os.geteuid()}-*"))


if __name__ == "__main__":
    there = indexes_in_memory()
    atexit.register(lambda: [shutil.rmtree(one, ignore_errors=True) for one in indexes_in_memory() - there])
    atexit.register(rehearsal.stop)
    sys.exit(run_tests([nothing_is_readable, keys_are_needed, rotates_while_it_runs, is_switched_on_later, erases_a_tenant,
                        erasure_refuses, erasure_leaves_nothing_on_its_way, erasure_needs_nobody_else, others_tests_hold]))
