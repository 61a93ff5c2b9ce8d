"""Uploads and attachments over HTTP: streamed in and out, seen by their tenant alone, there whole or
not at all whenever the server is killed, and named by messages."""

import base64
import hashlib
import json
import os
import random
import sys
import threading
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from forms import BOUNDARY, FORM, begin_upload, call, end_upload, form, part, upload
from node_under_test import Node, Rehearsal, run_tests, wait_until

TOKEN = "internal-token-0123456789"
GIB = 1 << 30
MEMORY_MAX = 64 << 20

rehearsal = Rehearsal()
node = Node(rehearsal.base_url, env={"GATEWAY_INTERNAL_TOKEN": TOKEN},
            settings=["uploads.files_max=4", f"uploads.file_bytes_max={GIB}"])
other_key = node.new_key("--tenant", "other", "--role", "admin")
node.start()


def problem(answer):
    return answer[0], json.loads(answer[2])["code"]


def stored(what=node):
    """Files on the disk: those that have their name, and those on their way."""
    named, incoming = [], []
    for folder, _, names in os.walk(os.path.join(what.data_dir, "attachments")):
        (incoming if folder.endswith("incoming") else named).extend(names)
    return named, incoming


def sent_twice():
    """uploads: the same key and files give the first answer again, other files are refused"""
    def send(boundary, key, *files):
        body = form(*files).replace(BOUNDARY.encode(), boundary)
        status, headers, text = call(node, "POST", "/v1/uploads", body, {
            "Content-Type": f"multipart/form-data; boundary={boundary.decode()}",
            "Idempotency-Key": key})
        return status, headers.get("idempotency-replayed"), json.loads(text)
    file = ("plan.txt", b"the plan")
    status, replayed, first = send(b"one", "k1", file)
    assert (status, replayed) == (201, None), first
    assert send(b"two", "k1", file) == (201, "true", first)
    assert call(node, "GET", first[0]["url"])[0] == 200
    for other in (("plan.txt", b"another"), ("other.txt", b"the plan")):
        status, _, refused = send(b"one", "k1", other)
        assert (status, refused["code"]) == (422, "idempotency.mismatch"), refused
    wait_until(lambda: len(stored()[0]) == 1 and not stored()[1], what="what was refused to go")
    status, replayed, second = send(b"one", "k2", file)
    assert (status, replayed) == (201, None) and second[0]["id"] != first[0]["id"], second
    node.kill()
    node.start()
    assert send(b"three", "k1", file) == (201, "true", first), "kept by the restart"


def comes_and_goes():
    """attachments: what is sent comes back byte for byte, in ranges, conditionally, and goes for good"""
    content = bytes(random.Random(1).randbytes(300_000))
    made = upload(node, ("caf\u00e9 \"1\".bin".replace('"', "%22"), content),
                  ("notes.csv", b"a,b\n1,2\n", "text/csv"), (None, b"a field"))
    assert [m["filename"] for m in made] == ["caf\u00e9 \"1\".bin", "notes.csv"], made
    first, second = made
    assert first["sha256"] == hashlib.sha256(content).hexdigest()
    assert first["id"] == first["attachment_id"] and first["url"] == "/v1/attachments/" + first["id"]
    assert (first["size_bytes"], first["status"]) == (300_000, "clean")
    assert second["content_type"] == "text/csv"
    url = first["url"]
    status, headers, body = call(node, "GET", url)
    assert (status, body) == (200, content)
    assert headers["etag"] == f'"{first["sha256"]}"' and headers["content-length"] == "300000"
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert headers["content-disposition"] == (
        "attachment; filename=\"caf__ _1_.bin\"; filename*=UTF-8''caf%C3%A9%20%221%22.bin"), headers
    status, headers, body = call(node, "HEAD", url)
    assert (status, headers["content-length"], body) == (200, "300000", b"")
    for asked, begin, end in (("bytes=0-9", 0, 10), ("bytes=100000-", 100_000, 300_000),
                              ("bytes=-5", 299_995, 300_000), ("bytes=299999-400000", 299_999, 300_000)):
        status, headers, body = call(node, "GET", url, headers={"Range": asked})
        assert (status, body) == (206, content[begin:end]), asked
        assert headers["content-range"] == f"bytes {begin}-{end - 1}/300000"
    for ignored in ("bytes=5-1", "bytes=1-2,5-6", "lines=1-2", "bytes=x-y"):
        assert call(node, "GET", url, headers={"Range": ignored})[::2] == (200, content), ignored
    status, headers, body = call(node, "GET", url, headers={"Range": "bytes=300000-"})
    assert (status, json.loads(body)["code"]) == (416, "range.not_satisfiable")
    assert headers["content-range"] == "bytes */300000"
    etag = f'"{first["sha256"]}"'
    assert call(node, "GET", url, headers={"If-None-Match": etag})[::2] == (304, b"")
    ranged = {"Range": "bytes=0-0", "If-Range": '"another"'}
    assert call(node, "GET", url, headers=ranged)[0] == 200
    assert call(node, "GET", url, headers={**ranged, "If-Range": etag})[::2] == (206, content[:1])
    assert problem(call(node, "GET", url, key=other_key)) == (404, "attachment.not_found")
    assert problem(call(node, "DELETE", url, key=other_key)) == (404, "attachment.not_found")
    assert call(node, "DELETE", url)[0] == 204
    for method in ("GET", "DELETE"):
        assert problem(call(node, method, url)) == (410, "attachment.expired")
    assert problem(call(node, "GET", f"/v1/attachments/{uuid.uuid4()}"))[0] == 404
    assert call(node, "DELETE", second["url"])[0] == 204
    assert stored() == ([], [])


def other_nodes():
    """attachments: other nodes read with the internal token, for the tenant that they name"""
    made = upload(node, ("a.txt", b"hello"))[0]
    url = "/internal" + made["url"]
    token = {"X-Internal-Token": TOKEN}
    good = {**token, "X-Tenant-ID": "default"}
    assert call(node, "GET", url, headers=good, key=None)[::2] == (200, b"hello")
    assert call(node, "GET", url, headers={**good, "Range": "bytes=1-2"}, key=None)[2] == b"el"
    assert problem(call(node, "GET", url, headers={**token, "X-Tenant-ID": "other"}, key=None)) == (
        404, "attachment.not_found")
    assert problem(call(node, "GET", url, headers=token, key=None))[1] == "request.invalid_parameter"
    assert problem(call(node, "GET", url, headers={"X-Tenant-ID": "default"})) == (401, "auth.required")
    assert problem(call(node, "GET", url, headers={**good, "X-Internal-Token": "x"})) == (
        401, "auth.invalid")


def knows_by_hash():
    """uploads: bytes that were sent before need not be sent again; another tenant's count as unknown"""
    content = random.Random(2).randbytes(5000)
    sha256 = hashlib.sha256(content).hexdigest()
    ask = {"files": [{"sha256": sha256, "filename": "again.bin"}, {"sha256": "0" * 64}]}
    known = node.json("POST", "/v1/uploads/known", ask, expect=200)
    assert known == {"files": [], "missing": [sha256, "0" * 64]}, known
    upload(node, ("first.bin", content))
    known = node.json("POST", "/v1/uploads/known", ask, expect=200)
    assert known["missing"] == ["0" * 64] and known["files"][0]["filename"] == "again.bin"
    assert call(node, "GET", known["files"][0]["url"])[2] == content
    status, _, text = node.request("POST", "/v1/uploads/known", ask, key=other_key)
    assert status == 200 and json.loads(text)["files"] == []


def refuses():
    """uploads: what is too large, too many, of a refused type or broken is refused, and only whole files stay"""
    before = stored()

    def refusal(body, headers=FORM):
        return problem(call(node, "POST", "/v1/uploads", body, headers))
    whole = form(("a", b"x"))
    assert refusal(whole, {"Content-Type": "text/plain"}) == (415, "request.unsupported_media_type")
    assert refusal(whole, {"Content-Type": "multipart/form-data"})[0] == 415
    assert refusal(form()) == (422, "upload.empty") == refusal(form((None, b"x")))
    assert refusal(b"") == (422, "upload.malformed")
    assert refusal(b"rubbish" * 10_000) == (422, "upload.malformed")
    elf = b"\x7fELF\2\1\1\0" + bytes(8) + b"\2\0\x3e\0\1\0\0\0" + bytes(100)
    assert refusal(form(("a.png", elf, "image/png"))) == (415, "upload.type_refused")
    # What came whole before the failure is there, and known by its hash.
    late = b"whole before"
    assert refusal(part("a", late) + part("b", b"cut off")[:-4]) == (422, "upload.malformed")
    sha256 = hashlib.sha256(late).hexdigest()
    known = node.json("POST", "/v1/uploads/known", {"files": [{"sha256": sha256}]}, expect=200)
    assert len(known["files"]) == 1
    # So it is with a key, whose files become attachments together.
    late = b"whole before, with a key"
    once = {**FORM, "Idempotency-Key": "cut off"}
    assert refusal(part("a", late) + part("b", b"cut off")[:-4], once) == (422, "upload.malformed")
    sha256 = hashlib.sha256(late).hexdigest()
    known = node.json("POST", "/v1/uploads/known", {"files": [{"sha256": sha256}]}, expect=200)
    assert len(known["files"]) == 1
    assert refusal(form(*[(f"{n}", b"x%d" % n) for n in range(5)])) == (413, "upload.too_many")
    assert stored()[1] == [] and len(stored()[0]) == len(before[0]) + 6, (before, stored())


def hostile_names():
    """uploads: names that climb, hide, cheat or break the header are cut to what is harmless"""
    names = ["../../etc/passwd", "..%2f..%2fx", "/abs", "a\\b\\c.txt", "..", ".", "", "x" * 1000,
             "a;b=c.txt", "a\tb", "\u202egpj.exe", "%0d%0aSet-Cookie: a=b", "CON", "a' OR 1=1"]
    for n in range(0, len(names), 4):
        for made in upload(node, *[(name, b"x") for name in names[n:n + 4]]):
            name = made["filename"]
            assert name not in ("", ".", "..") and "/" not in name and "\\" not in name, made
            assert len(name.encode()) <= 200 and "\u202e" not in name and "\t" not in name
            status, headers, _ = call(node, "GET", made["url"])
            assert status == 200 and "set-cookie" not in headers
            assert headers["content-disposition"].startswith('attachment; filename="')
    html = upload(node, ("page.html", b"<!DOCTYPE html><html><script>alert(1)</script></html>"))[0]
    headers = call(node, "GET", html["url"])[1]
    assert headers["content-disposition"].startswith("attachment") and "sandbox" in headers[
        "content-security-policy"], headers


def memory_of(what):
    with open(f"/proc/{what.process.pid}/status") as file:
        return {line.split(":")[0]: int(line.split()[1]) << 10 for line in file if "kB" in line}


def large_files():
    """uploads: a file of a GiB goes in and out, and the process stays below 64 MB"""
    mine = Node(rehearsal.base_url, settings=["llm.breaker_failures=5"]).start()
    try:
        piece = random.Random(3).randbytes(1 << 20)
        hashed = hashlib.sha256()
        connection = begin_upload(mine, GIB)
        for n in range(1024):
            sent = n.to_bytes(4, "big") + piece[4:]
            hashed.update(sent)
            connection.send(sent)
        status, made = end_upload(connection)
        connection.close()
        assert (status, made[0]["size_bytes"], made[0]["sha256"]) == (201, GIB, hashed.hexdigest())
        peak = memory_of(mine)["VmHWM"]
        assert peak < MEMORY_MAX, f"{peak >> 20} MB while it came in"
        connection = mine.connect(timeout=120)
        connection.request("GET", made[0]["url"],
                           headers={"Authorization": "Bearer test-admin-key-0123456789"})
        answer, back, size = connection.getresponse(), hashlib.sha256(), 0
        while got := answer.read(1 << 20):
            back.update(got)
            size += len(got)
        assert (size, back.hexdigest()) == (GIB, hashed.hexdigest())
        peak = memory_of(mine)["VmHWM"]
        assert peak < MEMORY_MAX, f"{peak >> 20} MB while it went out"
        print(f"      the most it had: {peak >> 20} MB", flush=True)
        over = begin_upload(mine, GIB + 1)
        over.send(piece * 2)
        over.close()  # one byte more would be refused, but only at its end
        wait_until(lambda: stored(mine)[1] == [], what="the half to go")
    finally:
        mine.stop()


def killed():
    """uploads: a server that is killed while files come in has whole files or none"""
    mine = Node(rehearsal.base_url).start()
    try:
        for round in range(6):
            contents = [random.Random(10 * round + n).randbytes(400_000) for n in range(3)]
            accepted = []

            def send():
                for n, content in enumerate(contents):
                    try:
                        accepted.extend(upload(mine, (f"{n}", content), (f"again {n}", content)))
                    except (OSError, AssertionError, ValueError):
                        pass
            sender = threading.Thread(target=send)
            sender.start()
            threading.Event().wait(random.uniform(0, 0.06))
            mine.kill()
            sender.join()
            mine.start()
            for made in accepted:  # what was answered is there
                assert hashlib.sha256(call(mine, "GET", made["url"])[2]).hexdigest() == made["sha256"]
            known = mine.json("POST", "/v1/uploads/known", {"files": [
                {"sha256": hashlib.sha256(c).hexdigest()} for c in contents]}, expect=200)
            for made in known["files"]:  # what is known is whole
                content = call(mine, "GET", made["url"])[2]
                assert hashlib.sha256(content).hexdigest() == made["sha256"]
            hashes = {hashlib.sha256(c).hexdigest() for c in contents}
            there = {made["sha256"] for made in known["files"]}
            wait_until(lambda: stored(mine)[1] == [] and
                       not (hashes & set(stored(mine)[0])) - there, what="orphans to go")
    finally:
        mine.stop()


def named_by_messages():
    """messages: the attachments they name are checked, stand in the event, and survive a restart"""
    made = upload(node, ("plan.csv", b"a,b\n", "text/csv"), ("pic.png", b"\x89PNG\r\n\x1a\nrest"))
    body = {"message": "[[rehearsal words=2 delay_ms=0]] look", "attachments": [
        {"id": made[0]["id"]}, {"attachment_id": made[1]["id"]}]}
    accepted = node.json("POST", "/v1/session/message", body, expect=202)
    session = accepted["session_id"]
    said = next(e for e in node.events(session) if e["type"] == "message.user")
    assert said["payload"]["attachments"] == [
        {k: m[k] for k in ("id", "filename", "content_type", "size_bytes")} for m in made], said

    def refusal(ids, key=None):
        status, _, text = node.request("POST", "/v1/session/message", {
            "message": "x", "attachments": [{"id": i} for i in ids]}, **({"key": key} if key else {}))
        return status, json.loads(text)["code"]
    sessions = len(node.json("GET", "/v1/sessions?limit=200")["sessions"])
    assert refusal([str(uuid.uuid4())]) == (404, "attachment.not_found")
    assert refusal([made[0]["id"]], other_key) == (404, "attachment.not_found")
    gone = upload(node, ("gone", b"gone"))[0]
    call(node, "DELETE", gone["url"])
    assert refusal([gone["id"]]) == (410, "attachment.expired")
    assert len(node.json("GET", "/v1/sessions?limit=200")["sessions"]) == sessions
    fork = node.json("POST", f"/v1/sessions/{session}/fork",
                     {"event_id": node.events(session)[-1]["meta"]["event_id"]}, expect=201)
    node.kill()
    node.start()
    copied = next(e for e in node.events(fork["session_id"]) if e["type"] == "message.user")
    assert copied["payload"]["attachments"] == said["payload"]["attachments"]
    assert call(node, "GET", made[0]["url"])[0] == 200


def import_refused():
    """attachments: an import of a file that is not taken is refused, and nothing else happens"""
    session = node.json("POST", "/v1/session/message", {
        "message": "[[rehearsal words=2 delay_ms=0]] look",
        "attachments": [{"id": upload(node, ("small", b"small"))[0]["id"]}]},
        expect=202)["session_id"]
    wait_until(lambda: any(e["type"] == "message.assistant" and e["payload"]["final"]
                           for e in node.events(session)))
    lines = node.request("POST", "/v1/sessions/export",
                         {"session_id": session})[2].splitlines(keepends=True)
    with open("/bin/true", "rb") as file:
        program = file.read()
    at = next(n for n, line in enumerate(lines) if line.startswith('{"attachment":'))
    head = json.loads(lines[at])
    head["attachment"].update(sha256=hashlib.sha256(program).hexdigest(), size_bytes=len(program))
    lines[at] = json.dumps(head) + "\n"
    coded = base64.urlsafe_b64encode(program).decode().rstrip("=")
    lines[at + 1] = f'{{"attachment_bytes":"{coded}"}}\n'
    body = "".join(lines[:-1])
    end = {**json.loads(lines[-1]), "sha256": hashlib.sha256(body.encode()).hexdigest()}
    pid = node.process.pid
    for _ in range(5):
        status, _, answer = node.request("POST", "/v1/sessions/import",
                                         (body + json.dumps(end) + "\n").encode(),
                                         {"Content-Type": "application/x-ndjson"}, other_key)
        assert (status, json.loads(answer).get("code")) == (415, "upload.type_refused"), answer
    assert node.process.poll() is None and node.process.pid == pid, "the server lives"
    assert node.request("GET", "/healthz")[0] == 200


def travel_with_exports():
    """attachments: an export has their bytes, and an import makes them, whole or not at all"""
    content = random.Random(5).randbytes(500_000)
    made = upload(node, ("photo.bin", content), ("empty", b""))
    said = {"message": "[[rehearsal words=2 delay_ms=0]] look",
            "attachments": [{"id": m["id"]} for m in made]}
    session = node.json("POST", "/v1/session/message", said, expect=202)["session_id"]
    gone = upload(node, ("gone", b"gone"))[0]
    node.json("POST", "/v1/session/message", {"session_id": session, "message": "and",
                                              "attachments": [{"id": gone["id"]}]}, expect=202)
    call(node, "DELETE", gone["url"])
    wait_until(lambda: sum(e["type"] == "message.assistant" for e in node.events(session)) == 2)
    document = node.request("POST", "/v1/sessions/export", {"session_id": session})[2]
    heads = [json.loads(line)["attachment"] for line in document.splitlines()
             if line.startswith('{"attachment":')]
    assert [h["id"] for h in heads] == [m["id"] for m in made], heads
    ndjson = {"Content-Type": "application/x-ndjson"}

    def take_in(text, key):
        status, _, answer = node.request("POST", "/v1/sessions/import", text.encode(), ndjson, key)
        return status, json.loads(answer)
    lines = document.splitlines(keepends=True)
    bytes_at = [n for n, line in enumerate(lines) if line.startswith('{"attachment_bytes"')]
    assert len(bytes_at) == 3, "pieces of at most 192 KiB"
    for bad in (lines[:bytes_at[1]] + lines[bytes_at[1] + 1:],
                lines[:bytes_at[0]] + [lines[bytes_at[1]], lines[bytes_at[0]]] + lines[bytes_at[2]:],
                lines[:bytes_at[0]] + ['{"attachment_bytes":"%%"}\n'] + lines[bytes_at[0] + 1:],
                lines[:2] + [lines[bytes_at[0]]] + lines[2:]):
        body = "".join(bad[:-1])
        end = {**json.loads(bad[-1]), "sha256": hashlib.sha256(body.encode()).hexdigest()}
        status, answer = take_in(body + json.dumps(end) + "\n", other_key)
        assert (status, answer["code"]) == (422, "import.invalid"), answer
        assert call(node, "GET", made[0]["url"], key=other_key)[0] == 404
    status, answer = take_in(document, other_key)
    assert status == 201, answer
    for one, bytes_of in zip(made, (content, b"")):
        status, headers, body = call(node, "GET", one["url"], key=other_key)
        assert (status, body) == (200, bytes_of), status
    assert call(node, "GET", gone["url"], key=other_key)[0] == 404
    status, answer = take_in(document, "test-admin-key-0123456789")
    assert status == 201 and call(node, "GET", made[0]["url"])[2] == content
    assert call(node, "GET", gone["url"])[0] == 410


def asks_policy():
    """attachments: where policy denies reading one, nobody reads it or has a model read it"""
    rules = os.path.join(node.data_dir, "rules.toml")
    with open(rules, "w") as file:
        file.write('[[rule]]\nid = "closed"\neffect = "deny"\nactions = ["attachment.read"]\n'
                   'users = ["guest"]\n\n[[rule]]\nid = "no-nodes"\neffect = "deny"\n'
                   'actions = ["attachment.read"]\nroles = ["internal"]\n\n'
                   '[[rule]]\nid = "all"\neffect = "allow"\n'
                   'actions = ["conversation.*", "attachment.*", "tool.execute"]\n')
    mine = Node(rehearsal.base_url, settings=[f"policy.file={rules}"],
                env={"GATEWAY_INTERNAL_TOKEN": TOKEN})
    guest = mine.new_key("--user", "guest", "--role", "user")
    mine.start()
    try:
        made = upload(mine, ("a", b"a"), key=guest)[0]
        assert call(mine, "GET", made["url"])[0] == 200
        status, _, text = call(mine, "GET", made["url"], key=guest)
        refused = json.loads(text)
        assert (status, refused["code"], refused["rule"]) == (403, "policy.denied", "closed"), refused
        # Other nodes are judged as `internal`, of the tenant that they name.
        node_of_ours = {"X-Internal-Token": TOKEN, "X-Tenant-ID": "default"}
        status, _, text = call(mine, "GET", "/internal" + made["url"], headers=node_of_ours, key=None)
        assert status == 403, f"{status} {text[:200]}"
        refused = json.loads(text)
        assert (status, refused["code"], refused["rule"]) == (403, "policy.denied", "no-nodes"), refused
        status, _, text = mine.request("POST", "/v1/session/message", {
            "message": "x", "attachments": [{"id": made["id"]}]}, key=guest)
        assert (status, json.loads(text)["code"]) == (403, "policy.denied"), text
    finally:
        mine.stop()


def full_disk():
    """uploads: a disk that is nearly full takes no file, and says so"""
    mine = Node(rehearsal.base_url, settings=["storage.min_free_bytes=0"]).start()
    made = upload(mine, ("a", b"a"))[0]
    mine.stop()
    mine.settings = ["storage.min_free_bytes=1125899906842624"]
    mine.start()
    try:
        assert problem(call(mine, "POST", "/v1/uploads", form(("b", b"b")), FORM)) == (
            507, "storage.full")
        assert call(mine, "DELETE", made["url"])[0] == 204  # that makes room
        assert stored(mine) == ([], [])
    finally:
        mine.stop()


def main():
    try:
        return run_tests([comes_and_goes, sent_twice, other_nodes, knows_by_hash, refuses, hostile_names,
                          large_files, killed, named_by_messages,
                          import_refused, travel_with_exports, asks_policy, full_disk])
    finally:
        node.stop()
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(main())
