"""The audit of a real server: what is recorded, who may read it, that it is a chain that holds, and
that a proof of it can be checked with openssl alone, as docs/audit.md says."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from audit_records import audit_records, audit_text, segments, soma_audit
from node_under_test import ADMIN_KEY, BIN, Node, Rehearsal, run_tests, wait_until

rehearsal = None
TOKEN = "internal-token-0123456789"


def new_node(settings=(), **env):
    return Node(rehearsal.base_url, settings=settings,
                env={"GATEWAY_ENC_KEY": "11" * 32, "GATEWAY_INTERNAL_TOKEN": TOKEN, **env})


def of(records, what, **more):
    return [r for r in records if r["what"] == what and all(r.get(k) == v for k, v in more.items())]


def documented(marked):
    """The shell of docs/audit.md that has this in it."""
    path = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "audit.md")
    with open(path) as file:
        blocks = file.read().split("```sh\n")[1:]
    [found] = [block.split("```")[0] for block in blocks if marked in block]
    return found


def openssl(*args, text=None):
    done = subprocess.run(["openssl", *args], input=text, capture_output=True, timeout=30)
    return done.returncode, done.stdout


def everything_is_recorded():
    """start and stop, sign-ins, refusals, calls of models and tools, settings: each has its record"""
    node = new_node()
    user_key = node.new_key("--role", "user", "--user", "somebody")
    node.start()
    planted = "planted-" + uuid.uuid4().hex
    text = "words-" + uuid.uuid4().hex
    # In and out.
    status, headers, _ = node.request("POST", "/v1/auth/login", {"key": ADMIN_KEY}, key=None)
    assert status == 200
    cookie = headers["Set-Cookie"].split(";")[0]
    assert node.request("POST", "/v1/auth/logout", headers={"Cookie": cookie}, key=None)[0] == 204
    assert node.request("POST", "/v1/auth/login", {"key": planted}, key=None)[0] == 401
    # Who may not.
    assert node.request("GET", "/v1/keys", key=user_key)[0] == 403
    assert node.request("GET", "/v1/keys", key="sk-" + planted)[0] == 401
    # A model and a tool.
    said = node.say(f"[[rehearsal words=3 delay_ms=0]] {text}")
    session = said["session_id"]
    wait_until(lambda: not node.json("GET", f"/v1/sessions/{session}")["busy"], what="the turn")
    for tool, inputs in (("echo", {"text": text}), ("memory_save", {"text": text})):
        node.json("POST", "/v1/tool/request",
                  {"session_id": session, "tool_id": tool, "inputs": inputs}, expect=202)
    wait_until(lambda: sum(e["type"] == "tool.result" for e in node.events(session)) == 2,
               what="the tools")
    # Memories, settings, a credential and its text.
    noted = node.json("POST", "/v1/memories", {"text": f"{text} noted"}, expect=201)["memory_id"]
    assert node.request("DELETE", f"/v1/memories/{noted}")[0] == 204
    node.json("PUT", "/v1/settings", {"llm": {"model": "another", "api_key": planted}}, expect=200)
    node.json("PUT", "/v1/llm/credentials/openai", {"secret": planted}, expect=200)
    assert node.request("GET", "/v1/llm/credentials/openai",
                        headers={"X-Internal-Token": TOKEN})[0] == 200
    node.request("GET", "/v1/llm/credentials/openai", headers={"X-Internal-Token": planted})
    assert node.stop() == 0

    there = audit_records(node)
    [start] = of(there, "server.started")
    assert start["config"]["auth.admin_key"] == '"***"', start
    assert of(there, "server.stopping") and of(there, "server.stopped", outcome="done")
    [in_] = of(there, "auth.login", outcome="done")
    assert (in_["user_id"], in_["role"], in_["by"]) == ("admin", "admin", "key"), in_
    assert of(there, "auth.logout", user_id="admin", outcome="done")
    [failed] = of(there, "auth.login", outcome="failed")
    assert failed["why"] == "auth.invalid" and failed["peer"] == "127.0.0.1", failed
    [forbidden] = of(there, "auth.refused", why="auth.forbidden")
    assert (forbidden["user_id"], forbidden["operation"]) == ("somebody", "list_keys"), forbidden
    assert len(of(there, "auth.refused", why="auth.invalid")) == 1
    [call] = of(there, "llm.invoke", session_id=session)
    assert call["base_url"] == rehearsal.base_url and call["provider"], call
    assert call["usage"]["completion_tokens"] > 0 and call["outcome"] == "ok", call
    for tool in ("echo", "memory_save"):
        [ran] = of(there, "tool.execute", resource=tool)
        assert (ran["outcome"], ran["session_id"]) == ("success", session), ran
        assert (ran["user_id"], ran["role"]) == ("admin", "admin") and ran["request_id"], ran
    assert of(there, "memory.write", operation="add_memory", outcome="done")
    assert of(there, "memory.delete", resource=noted, outcome="done")
    [changed] = of(there, "settings.update")
    assert changed["diff"]["llm.model"] == {"from": "rehearsal", "to": "another"}, changed
    assert changed["diff"]["llm.api_key"]["to"] == "********", changed
    assert len(of(there, "credential.read", outcome="done", resource="openai")) == 1
    assert len(of(there, "credential.read", outcome="denied", resource="openai")) == 1
    [sent] = of(there, "conversation.send", operation="send_message")
    assert sent["session_id"] == sent["resource"] == session and sent["why"] == "talk", sent
    assert sent["when"] <= sent["at"] and sent["status"] == 202, sent
    whole = audit_text(node)
    for secret in (planted, text, ADMIN_KEY, TOKEN, user_key, cookie.split("=")[1], "11" * 32):
        assert secret not in whole, "a secret or a text is in the audit"
    for path in segments(node) + [os.path.join(node.data_dir, "secret", "audit.key")]:
        assert os.stat(path).st_mode & 0o77 == 0, path
    # The last record is a head over all before it.
    assert there[-1]["what"] == "audit.head"
    status, out, err = soma_audit(node, "verify")
    assert status == 0 and f"{len(there)} records are right" in out, out + err


def routes():
    """admins of a tenant read its records, the operator's the node's, too, by filters and pages; others none"""
    node = new_node()
    user_key = node.new_key("--role", "user")
    other_key = node.new_key("--tenant", "other", "--role", "admin")
    node.start()
    request_id = uuid.uuid4().hex
    made = node.json("POST", "/v1/sessions", {}, {"X-Request-ID": request_id}, 201)["session_id"]
    for _ in range(5):
        node.json("POST", "/v1/sessions", {}, expect=201)

    def page(query, key=ADMIN_KEY, expect=200):
        status, _, text = node.request("GET", "/v1/admin/audit" + query, key=key)
        assert status == expect, (query, status, text)
        return json.loads(text)

    [record] = page(f"?request_id={request_id}")["records"]
    assert record["session_id"] == made and record["how"]["status"] == 201, record
    assert page(f"?session_id={made}")["records"] == [record]
    assert len(page("?what=conversation.*&who=admin")["records"]) == 6
    assert page("?who=nobody")["records"] == []
    assert page("?from=2100-01-01T00:00:00Z")["records"] == []
    assert page(f"?to={record['at']}&what=conversation.send")["records"] == []
    seen, cursor = [], ""
    while cursor is not None:
        found = page(f"?limit=2{cursor and '&cursor=' + cursor}")
        assert len(found["records"]) <= 2
        seen += [r["seq"] for r in found["records"]]
        cursor = found["next_cursor"]
    assert seen == sorted(seen, reverse=True) and seen[-1] == 1, seen
    status, _, text = node.request("GET", f"/v1/admin/audit/{record['seq']}")
    assert status == 200 and json.loads(text) == record
    assert hashlib.sha256(text.replace(f',"hash":"{record["hash"]}"', "").encode()).hexdigest() == \
        record["hash"]
    # Another tenant sees its own alone.
    assert page("?limit=200", key=other_key)["records"] == []
    assert node.request("GET", "/v1/admin/audit/1", key=other_key)[0] == 404
    assert node.request("GET", f"/v1/admin/audit/{record['seq']}", key=other_key)[0] == 404
    assert page("", key=user_key, expect=403)["code"] == "auth.forbidden"
    # A head is made where there is something new, and is the same where there is not.
    head = node.json("GET", "/v1/admin/audit/head", expect=200)
    assert node.json("GET", "/v1/admin/audit/head", expect=200) == head
    status, _, text = node.request("GET", "/v1/admin/audit/export")
    lines = text.splitlines()
    assert status == 200 and [json.loads(x)["seq"] for x in lines] == list(
        range(1, len(lines) + 1))
    assert len(lines) >= head["seq"] + 1
    filtered = node.request("GET", f"/v1/admin/audit/export?request_id={request_id}")[2]
    assert [json.loads(x) for x in filtered.splitlines()] == [record]
    # While it runs, and against what was kept.
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("head.json", json.dumps(head)), ("export.ndjson", text)):
            with open(os.path.join(folder, name), "w") as file:
                file.write(content)
        kept, export = (os.path.join(folder, n) for n in ("head.json", "export.ndjson"))
        node.json("POST", "/v1/sessions", {}, expect=201)
        for args in ((), ("--head", kept), ("--since", kept), (export,), (export, "--head", kept)):
            status, out, err = soma_audit(node, "verify", *args)
            assert status == 0, (args, out, err)
        cut = "\n".join(lines[:-3]) + "\n"
        with open(export, "w") as file:
            file.write(cut)
        assert soma_audit(node, "verify", export)[0] == 0
        status, _, err = soma_audit(node, "verify", export, "--head", kept)
        assert status == 1 and "is missing" in err, err
        with open(export, "w") as file:
            file.write(text.replace('"status":201', '"status":200', 1))
        status, _, err = soma_audit(node, "verify", export)
        assert status == 1 and f"record {record['seq']} was changed" in err, err
    assert node.request("POST", "/v1/sessions", {}, key=other_key)[0] == 201
    theirs = page("?limit=200", key=other_key)["records"]
    assert [r["who"]["tenant_id"] for r in theirs] == ["other"], theirs
    # Of several tenants none has the whole chain in an export.
    assert theirs[0]["seq"] not in [json.loads(x)["seq"] for x in node.request(
        "GET", "/v1/admin/audit/export")[2].splitlines()]
    assert node.stop() == 0


def proof_by_openssl():
    """a proof of a request's record holds by soma, and step by step by openssl alone"""
    node = new_node().start()
    request_id = uuid.uuid4().hex
    for _ in range(9):
        node.json("POST", "/v1/sessions", {}, expect=201)
    node.json("POST", "/v1/sessions", {}, {"X-Request-ID": request_id}, 201)
    for _ in range(4):
        node.json("POST", "/v1/sessions", {}, expect=201)
    # Written within some milliseconds, which a loaded machine makes more of.
    wait_until(lambda: "no head" in soma_audit(node, "prove", "--request", request_id)[2],
               what="the record")
    node.json("GET", "/v1/admin/audit/head", expect=200)
    status, out, err = soma_audit(node, "prove", "--request", request_id)
    assert status == 0, err
    status, pem, _ = soma_audit(node, "key")
    assert status == 0
    proof = json.loads(out)
    with tempfile.TemporaryDirectory() as folder:
        path = {name: os.path.join(folder, name) for name in ("pem", "proof")}
        with open(path["pem"], "w") as file:
            file.write(pem)
        with open(path["proof"], "w") as file:
            file.write(out)
        status, record, err = soma_audit(node, "verify-proof", path["proof"], "--key", path["pem"])
        assert status == 0 and record.strip() == proof["record"], err
        with open(path["proof"], "w") as file:
            file.write(out.replace("conversation.send", "conversation.read"))
        assert soma_audit(node, "verify-proof", path["proof"], "--key", path["pem"])[0] == 1
        # As a third party does it, word for word.
        def as_documented(record_of_proof):
            for name, content in (("proof.json", {**proof, "record": record_of_proof}),):
                with open(os.path.join(folder, name), "w") as file:
                    json.dump(content, file)
            with open(os.path.join(folder, "audit.pem"), "w") as file:
                file.write(pem)
            for name in ("head.json", "statement", "signature"):
                if os.path.exists(os.path.join(folder, name)):
                    os.remove(os.path.join(folder, name))
            for marked in ("jq -j .record proof.json", "cmp head.pem audit.pem"):
                if subprocess.run(["bash", "-eo", "pipefail", "-c", documented(marked)], cwd=folder,
                                  capture_output=True, timeout=60).returncode != 0:
                    return False
            return True
        good = proof["record"]
        assert as_documented(good)
        assert not as_documented(good.replace("conversation.send", "conversation.read"))
        # What stands in the last bytes is part of the record, too.
        hidden = good[:-75] + ',"who":"eve"' + "x" * (75 - len(',"who":"eve"'))
        assert not as_documented(hidden)
        assert not as_documented(good[:-75] + good[-75:].replace('"}', '"]'))
        head = proof["head"]
    assert node.stop() == 0
    assert head["public_key"] in pem and request_id in proof["record"]


def what_became_what():
    """users, keys, model profiles and who sees a session: each record says what is another"""
    node = new_node()
    node.new_key("--role", "user", "--user", "bob")
    node.start()
    node.json("POST", "/v1/keys", {"name": "for bob", "role": "user", "user_id": "bob"}, expect=201)
    node.json("PATCH", "/v1/users/bob", {"disabled": True}, expect=200)
    session = node.json("POST", "/v1/sessions", {}, expect=201)["session_id"]
    node.json("PATCH", f"/v1/sessions/{session}",
              {"visibility": "tenant", "shared_with": ["bob"]}, expect=200)
    profile = {"name": "spare", "model": "m", "base_url": "http://127.0.0.1:1/v1"}
    node.json("POST", "/v1/model-profiles", profile, expect=201)
    node.json("PUT", "/v1/model-profiles/spare", {**profile, "model": "n"}, expect=200)
    assert node.request("DELETE", "/v1/model-profiles/spare")[0] == 204
    there = audit_records(node)

    def diffs(operation):
        return [r["diff"] for r in there if r.get("operation") == operation]
    [key] = diffs("create_key")
    assert (key["name"], key["role"], key["user_id"]) == ("for bob", "user", "bob"), key
    assert diffs("update_user") == [{"disabled": {"from": False, "to": True}}]
    assert diffs("update_session") == [{"visibility": "tenant", "shared_with": ["bob"]}]
    url = profile["base_url"]
    assert diffs("create_model_profile") == [
        {"base_url": {"from": "", "to": url}, "model": {"from": "", "to": "m"}}]
    assert diffs("put_model_profile") == [{"model": {"from": "m", "to": "n"}}]
    assert diffs("delete_model_profile") == [
        {"base_url": {"from": url, "to": ""}, "model": {"from": "n", "to": ""}}]
    assert node.stop() == 0


def copies_by_openssl():
    """whole segments are copied by day, and a manifest is checked with sha256sum and openssl alone"""
    with tempfile.TemporaryDirectory() as folder:
        cold = os.path.join(folder, "cold")
        node = new_node([f"audit.copies_dir={cold}", "audit.segment_bytes=65536"]).start()
        for _ in range(300):
            node.json("POST", "/v1/sessions", {}, expect=201)
        assert len(segments(node)) > 2, segments(node)

        def manifests():
            return [os.path.join(at, name) for at, _, names in os.walk(cold) for name in names
                    if name == "manifest.json"]

        def listed():
            return [one for path in manifests() for one in json.load(open(path))["files"]]
        wait_until(lambda: len(listed()) >= len(segments(node)) - 1, 40, what="the copies")
        assert node.stop() == 0
        chain = os.path.dirname(os.path.dirname(manifests()[0]))
        status, out, err = soma_audit(node, "verify", chain)
        assert status == 0, out + err
        _, pem, _ = soma_audit(node, "key")
        path = {name: os.path.join(folder, name) for name in ("pem", "text", "sig")}
        with open(path["pem"], "w") as file:
            file.write(pem)
        for name in manifests():
            manifest = json.load(open(name))
            for one in manifest["files"]:
                with open(os.path.join(os.path.dirname(name), one["name"]), "rb") as file:
                    assert hashlib.sha256(file.read()).hexdigest() == one["sha256"]
            members = ("name", "first", "last", "bytes", "sha256", "prev_hash", "hash")
            with open(path["text"], "w") as file:
                file.write("soma-audit-manifest\n" + "".join(
                    manifest[n] + "\n" for n in ("chain", "day", "at")) + "".join(
                    " ".join(str(one[m]) for m in members) + "\n" for one in manifest["files"]))
            with open(path["sig"], "wb") as file:
                file.write(base64.b64decode(manifest["signature"]))
            assert openssl("pkeyutl", "-verify", "-pubin", "-inkey", path["pem"], "-rawin", "-in",
                           path["text"], "-sigfile", path["sig"])[0] == 0
        copy = os.path.join(os.path.dirname(manifests()[0]), listed()[0]["name"])
        with open(copy) as file:
            text = file.read()
        with open(copy, "w") as file:
            file.write(text.replace('"status":201', '"status":200', 1))
        status, _, err = soma_audit(node, "verify", chain)
        assert status == 1 and "was changed" in err, err


def commands_are_recorded():
    """soma repair and soma secrets rotate: offline by themselves, beside a server by that server"""
    folder = tempfile.mkdtemp(prefix="soma-keys-")
    keys = os.path.join(folder, "keys")
    node = Node(rehearsal.base_url, env={"GATEWAY_ENC_KEY_FILE": keys})

    def soma(*words):
        done = subprocess.run([os.path.join(BIN, "soma"), *words, "--data-dir", node.data_dir],
                              env=node.env, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr
    assert soma("secrets", "rotate")[0] == 0
    assert not os.path.exists(os.path.join(node.data_dir, "audit")), "a chain was begun for nothing"
    node.start()
    node.json("PUT", "/v1/llm/credentials/openai", {"secret": "planted"}, expect=200)
    # Beside the server: it does it, and says so.
    assert soma("secrets", "rotate")[0] == 0
    wait_until(lambda: of(audit_records(node), "secrets.rotated"), what="the record")
    [rotated] = of(audit_records(node), "secrets.rotated")
    assert (rotated["sealed_anew"], rotated["lost"], rotated["door"]) == (1, 0, "node"), rotated
    status, err = soma("repair")
    assert status == 1 and "another process" in err, err
    assert not of(audit_records(node), "store.repair"), "it does not write another's chain"
    assert node.stop() == 0
    # Without one.
    assert soma("secrets", "rotate")[0] == 0
    assert soma("repair")[0] == 0
    [asked] = of(audit_records(node), "secrets.rotate")
    assert (asked["operation"], asked["door"], asked["outcome"]) == ("secrets rotate", "cli", "done")
    [mended] = of(audit_records(node), "store.repair")
    assert (mended["operation"], mended["door"], mended["outcome"]) == ("repair", "cli", "done")
    assert mended["commits_lost"] == 0, mended
    assert soma_audit(node, "verify", "--closed")[0] == 0
    node.start()
    assert len(of(audit_records(node), "secrets.rotated")) == 2, "the next start seals anew"
    assert node.stop() == 0
    assert soma_audit(node, "verify")[0] == 0
    assert "planted" not in audit_text(node)
    shutil.rmtree(folder)


def of_several_tenants():
    """an admin of another tenant has the head and its own records, and nothing of the node or of others"""
    node = new_node()
    other_key = node.new_key("--tenant", "other", "--role", "admin")
    node.start()
    node.json("POST", "/v1/sessions", {}, expect=201)
    assert node.request("POST", "/v1/sessions", {}, key=other_key)[0] == 201
    assert node.request("GET", "/v1/sessions", key="sk-wrong")[0] == 401  # nobody's tenant
    status, _, text = node.request("GET", "/v1/admin/audit/head", key=other_key)
    assert status == 200 and json.loads(text)["signature"], text
    status, _, text = node.request("GET", "/v1/admin/audit/export", key=other_key)
    lines = [json.loads(line) for line in text.splitlines()]
    assert status == 200 and lines and all(
        r["who"]["tenant_id"] == "other" for r in lines), lines
    own = node.json("GET", "/v1/admin/audit?limit=200")["records"]
    assert {r.get("who", {}).get("tenant_id", "") for r in own} == {"", "default"}, own
    assert any(r["what"] == "auth.refused" for r in own)
    for what in ("server.*", "audit.*", "auth.*"):
        status, _, text = node.request("GET", f"/v1/admin/audit?what={what}", key=other_key)
        assert status == 200 and json.loads(text)["records"] == [], (what, text)
    assert node.stop() == 0


def starts_without_its_key():
    """where the key is gone and the chain is there, a start is refused with a sentence"""
    node = new_node().start()
    assert node.stop() == 0
    key = os.path.join(node.data_dir, "secret", "audit.key")
    os.rename(key, key + ".away")
    try:
        node.start()
        raise AssertionError("it started")
    except AssertionError as why:
        assert "audit.key is missing" in str(why), why
    os.rename(key + ".away", key)
    node.start()
    assert node.stop() == 0
    assert soma_audit(node, "verify")[0] == 0


def main():
    global rehearsal
    rehearsal = Rehearsal()
    try:
        return run_tests([everything_is_recorded, routes, proof_by_openssl, what_became_what,
                          copies_by_openssl, commands_are_recorded, of_several_tenants,
                          starts_without_its_key])
    finally:
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(main())
