"""The table of operations (app/operations.hpp), operation by operation: what the contract publishes is
what it says; where policy denies, nothing is done and one record tells of it; whatever changes
something leaves one record, however it ends; an unknown member is refused and named."""

import json
import os
import subprocess
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from audit_records import audit_records, audit_text
from node_under_test import ADMIN_KEY, BIN, Node, Rehearsal, run_tests, wait_until

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
TABLE = [json.loads(line) for line in
         subprocess.run([os.path.join(BIN, "soma"), "operations"], capture_output=True, text=True,
                        check=True).stdout.splitlines()]
SOMEBODY = str(uuid.uuid4())  # a session that is not there
PROFILE = {"name": "spare", "model": "m", "base_url": "http://127.0.0.1:1/v1"}
BODIES = {
    "add_memory": {"text": "planted text " + uuid.uuid4().hex},
    "append_event": {"name": "n", "data": {}},
    "apply_memory_log": {"log": "a-log"},
    "create_key": {"name": "spare"},
    "create_model_profile": PROFILE,
    "put_model_profile": PROFILE,
    "create_session": {},
    "drain_node": {"node_id": SOMEBODY},
    "undrain_node": {"node_id": SOMEBODY},
    "export_session": {"session_id": SOMEBODY},
    "find_known_files": {"files": [{"sha256": "0" * 64}]},
    "fork_session": {"event_id": "1.1"},
    "import_document": {"attachment_id": SOMEBODY},
    "give_feedback": {"session_id": SOMEBODY, "message_id": str(uuid.uuid4()), "rating": "helpful"},
    "llm_invoke": {"messages": [{"role": "user", "content": "x"}]},
    "llm_invoke_stream": {"messages": [{"role": "user", "content": "x"}]},
    "llm_test": {},
    "make_workdir_folder": {"session_id": SOMEBODY, "path": "a"},
    "move_in_workdir": {"session_id": SOMEBODY, "from": "a", "to": "b"},
    "pause_session": {},
    "put_credential": {"secret": "planted-" + uuid.uuid4().hex},
    "put_mcp_server": {"url": "http://127.0.0.1:1/mcp", "token": "planted-" + uuid.uuid4().hex},
    "put_tool": {"enabled": True},
    "recall_memory": {"query": "planted text " + uuid.uuid4().hex},
    "request_tool": {"session_id": SOMEBODY, "tool_id": "echo", "inputs": {"text": "x"}},
    "send_message": {"message": "planted text " + uuid.uuid4().hex, "session_id": SOMEBODY},
    "send_session_message": {"message": "x"},
    "session_action": {"session_id": SOMEBODY, "action": "nudge"},
    "update_memory": {"text": "planted text " + uuid.uuid4().hex},
    "update_session": {"title": "x"},
    "update_user": {"role": "admin"},
    "update_settings": {"llm": {"api_key": "planted-" + uuid.uuid4().hex}},
    "update_settings_post": {"llm": {"api_key": "planted-" + uuid.uuid4().hex}},
}
INTERNAL = {"X-Internal-Token": "internal-token-0123456789", "X-Tenant-ID": "default"}
WITH_TOKEN = {"GATEWAY_INTERNAL_TOKEN": INTERNAL["X-Internal-Token"]}
PARAMETERS = {"id": SOMEBODY, "name": "spare", "provider": "openai", "tool_id": "echo",
              "model": "m", "attachment_id": SOMEBODY, "user_id": "nobody-knows", "seq": "1"}


def request_of(one):
    path = one["path"]
    for name, value in PARAMETERS.items():
        path = path.replace("{" + name + "}", value)
    if one["resource"].startswith("query:"):
        path += f"?session_id={SOMEBODY}&path=a"
    body = BODIES.get(one["operation"])
    if one["body"] == "json" and body is None:
        body = {"model": "m", "messages": [], "input": "x", "prompt": "x"}  # as OpenAI's clients
    return one["method"], path, body


def ask(node, one, extra=None):
    """(status, body, the records of that request)"""
    method, path, body = request_of(one)
    request_id = uuid.uuid4().hex
    headers = {"X-Request-ID": request_id}
    key = ADMIN_KEY
    if one["access"] == "internal":
        key, headers = None, {**headers, **INTERNAL}
    if one["body"] == "stream":
        headers["Content-Type"] = "application/x-ndjson"
        body = b""
    if extra:
        body = {**body, **extra}
    if one["method"] == "GET" and one["answer"] == "stream":  # goes on for ever
        connection = node.connect()
        connection.request(method, path, headers={**headers, "Authorization": f"Bearer {ADMIN_KEY}"})
        answer = connection.getresponse()
        text = "" if answer.status == 200 else answer.read().decode()
        connection.close()
        return answer.status, text, request_id
    status, _, text = node.request(method, path, body, headers, key)
    return status, text, request_id


def records(node):
    return audit_records(node)


def judged():
    return [one for one in TABLE if one["action"]]


def policy_file(text):
    path = os.path.join(rehearsal_folder, uuid.uuid4().hex + ".toml")
    with open(path, "w") as file:
        file.write(text)
    return path


def published():
    """each operation is in the contract under its method and path, and no other is"""
    with open(os.path.join(ROOT, "schemas", "openapi.json")) as file:
        document = json.load(file)
    there = {(method.upper(), path, what["operationId"])
             for path, item in document["paths"].items()
             for method, what in item.items() if isinstance(what, dict) and "operationId" in what}
    there = {row for row in there if row[2] != "get_ui"}  # files, no operation
    assert there == {(one["method"], one["path"], one["operation"]) for one in TABLE}, (
        there ^ {(one["method"], one["path"], one["operation"]) for one in TABLE})


# One's own coming and going, which nobody is asked about.
SIGNING = ("login", "logout", "close_sign_in", "close_sign_ins")
OF_PROVIDERS = "oidc_logged_out"  # oidc_test.py looks at its records
# They change nothing, and have bodies; of what models and tools are asked there are records of its own.
READINGS = ("find_known_files", "llm_invoke", "llm_invoke_stream", "llm_test", "openai_chat",
            "openai_completions", "openai_embeddings", "openai_responses", "recall_memory")


def every_change_is_judged():
    """whatever is no reading asks policy, but for one's own signing in and out; so do other nodes"""
    for one in TABLE:
        if one["method"] != "GET" and one["operation"] not in (*SIGNING, OF_PROVIDERS):
            assert one["action"], one
        if one["access"] == "internal":
            assert one["action"], one


def every_change_is_recorded():
    """whatever is no reading leaves a record, those of signing in and out by themselves"""
    for one in TABLE:
        if one["method"] != "GET" and one["operation"] not in (*SIGNING, OF_PROVIDERS, *READINGS):
            assert one["audited"] == "always", one
    node = Node(rehearsal.base_url, settings=[]).start()
    try:
        cookie = node.request("POST", "/v1/auth/login", {"key": ADMIN_KEY},
                              key=None)[1]["Set-Cookie"].split(";")[0]
        asked = {}
        for operation, method, path, body, key, more in (
                ("login", "POST", "/v1/auth/login", {"key": "sk-none"}, None, {}),
                ("login", "POST", "/v1/auth/login", {"key": ADMIN_KEY}, None, {}),
                ("close_sign_in", "DELETE", "/v1/auth/sessions/" + SOMEBODY, None, ADMIN_KEY, {}),
                ("logout", "POST", "/v1/auth/logout", None, None, {"Cookie": cookie}),
                ("close_sign_ins", "DELETE", "/v1/auth/sessions", None, ADMIN_KEY, {})):
            request_id = uuid.uuid4().hex
            status = node.request(method, path, body, {"X-Request-ID": request_id, **more}, key)[0]
            asked[request_id] = operation, status
        assert {operation for operation, _ in asked.values()} == set(SIGNING)
        there = records(node)
        for request_id, (operation, status) in asked.items():
            [r] = [r for r in there if r.get("request_id") == request_id]
            assert r["operation"] == operation, r
            assert r["what"] == ("auth.login" if operation == "login" else "auth.logout"), r
            assert (r["outcome"] == "done") == (status < 400), (r, status)
    finally:
        node.stop()


def denied():
    """where policy denies all, each operation is refused with the rule, and one record says so"""
    rules = policy_file('[[rule]]\nid = "nothing"\neffect = "deny"\nactions = ["*"]\n')
    node = Node(rehearsal.base_url, settings=[f"policy.file={rules}"], env=WITH_TOKEN).start()
    try:
        asked = {}
        for one in judged():
            status, text, request_id = ask(node, one)
            refused = json.loads(text)
            refused = refused.get("error", refused)  # in OpenAI's shape
            assert status == 403 and refused["code"] == "policy.denied", (one, status, text)
            asked[request_id] = one
        for request_id, one in asked.items():
            mine = [r for r in records(node) if r.get("request_id") == request_id]
            assert len(mine) == 1, (one, mine)
            [r] = mine
            assert (r["outcome"], r["why"], r["what"]) == ("denied", "nothing", one["action"]), r
            assert r["operation"] == (one["same_as"] or one["operation"]), r
        node.stop()
        node.settings = []
        node.start()
        assert node.json("GET", "/v1/sessions")["sessions"] == []
        assert node.json("GET", "/v1/keys")["keys"] == []
        assert "spare" not in [p["name"] for p in node.json("GET", "/v1/model-profiles")["profiles"]]
        assert node.json("GET", "/v1/mcp-servers")["servers"] == []
    finally:
        node.stop()


def recorded():
    """each operation that changes something leaves one record, whether it is done or fails"""
    node = Node(rehearsal.base_url, settings=[], env=WITH_TOKEN).start()
    try:
        asked = {}
        for one in judged():
            status, _, request_id = ask(node, one)
            asked[request_id] = one, status
        there = records(node)
        for request_id, (one, status) in asked.items():
            mine = [r for r in there if r.get("request_id") == request_id and "operation" in r]
            if one["audited"] != "always":
                assert mine == [], (one, mine)
                continue
            assert len(mine) == 1, (one, status, mine)
            [r] = mine
            assert (r["outcome"] == "done") == (status < 400), (r, status)
            assert r["status"] == status and r["user_id"] == "admin" and r["door"] == "http", r
        # Of what was made it says which.
        for path, body, member, status in (("/v1/keys", {"name": "named"}, "key_id", 201),
                                           ("/v1/sessions", {}, "session_id", 201),
                                           ("/v1/session/message", {"message": "x"}, "session_id",
                                            202)):
            request_id = uuid.uuid4().hex
            made = node.json("POST", path, body, {"X-Request-ID": request_id}, status)
            named = [r["resource"] for r in records(node)
                     if r.get("request_id") == request_id and "operation" in r]
            assert named == [made[member]], (path, named, made)
        # A record is one line, however its request was written.
        change = {"limits": {"timeout_ms": 1000}}
        assert node.request("PUT", "/v1/tool-catalog/echo", json.dumps(change, indent=2).encode(),
                            {"Content-Type": "application/json"})[0] == 200
        assert [r for r in records(node) if r.get("diff") == change], "no record has the change"
        text = audit_text(node) + node.log_text()
        assert "planted" not in text
    finally:
        node.stop()


def keyed_requests(node):
    """One request for each operation that is known again by its key, all of which succeed; how many
    of what each makes are there by now."""
    session = node.json("POST", "/v1/sessions", {}, expect=201)["session_id"]
    said = node.say("[[rehearsal words=3 delay_ms=0]]", session)
    wait_until(lambda: not node.json("GET", f"/v1/sessions/{session}")["busy"])
    answer = [e for e in node.events(session) if e["type"] == "message.assistant"][-1]
    exported = node.request("POST", "/v1/sessions/export", {"session_id": session})[2]
    upload = (b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\n'
              + uuid.uuid4().hex.encode() + b"\r\n--b--\r\n")
    sessions = ("/v1/sessions?limit=200", "sessions")
    events = (f"/v1/sessions/{session}/events?limit=500", "events")
    shelf = node.request("POST", "/v1/uploads", b'--b\r\nContent-Disposition: form-data; name="f"; filename="b.txt"'
                         b'\r\n\r\nThe shelf holds ' + uuid.uuid4().hex.encode() + b"\r\n--b--\r\n",
                         {"Content-Type": "multipart/form-data; boundary=b"})[2]
    known = {
        "add_memory": ({"text": "The key is under the mat"}, {}, ("/v1/memories?kind=note", "memories")),
        "append_event": ({"name": "n", "data": 1}, {}, events),
        "create_key": ({"name": "spare"}, {}, ("/v1/keys", "keys")),
        "create_model_profile": (PROFILE, {}, ("/v1/model-profiles", "profiles")),
        "create_session": ({}, {}, sessions),
        "find_known_files": ({"files": [{"sha256": "0" * 64}]}, {}, None),
        "fork_session": ({"event_id": said["event_id"]}, {}, sessions),
        "give_feedback": ({"session_id": session, "message_id": answer["payload"]["message_id"],
                           "rating": "helpful"}, {}, events),
        "import_document": ({"attachment_id": json.loads(shelf)[0]["id"]}, {},
                            ("/v1/memory/documents", "documents")),
        "import_session": (exported.encode(), {"Content-Type": "application/x-ndjson"}, sessions),
        "request_tool": ({"session_id": session, "tool_id": "echo", "inputs": {"text": "x"}}, {},
                         events),
        "send_message": ({"message": "[[rehearsal words=1 delay_ms=0]]"}, {}, sessions),
        "send_session_message": ({"message": "[[rehearsal words=1 delay_ms=0]]"}, {}, events),
        "upload_files": (upload, {"Content-Type": "multipart/form-data; boundary=b"}, None),
    }
    keyed = {one["operation"]: one for one in TABLE if one["keyed"] != "no"}
    assert keyed.keys() == known.keys(), keyed.keys() ^ known.keys()
    return [(keyed[name]["path"].replace("{id}", session), body, headers, uuid.uuid4().hex, made)
            for name, (body, headers, made) in known.items()], session


def again_after_a_kill():
    """what is known by its key is done once, though the server is killed before the answer is read"""
    node = Node(rehearsal.base_url, settings=[]).start()
    try:
        asked, session = keyed_requests(node)

        def ask(path, body, headers, key):
            status, back, text = node.request("POST", path, body, {**headers, "Idempotency-Key": key})
            assert status < 300, (path, status, text)
            return status, json.loads(text), back.get("Idempotency-Replayed")

        def made():
            wait_until(lambda: not node.json("GET", f"/v1/sessions/{session}")["busy"])
            return [len(node.json("GET", where[0])[where[1]]) for *_, where in asked if where]
        first = [ask(*one[:4]) for one in asked]
        assert all(replayed is None for *_, replayed in first), first
        count = made()
        node.kill()
        node.start()
        for one, (status, said, _) in zip(asked, first):
            if one[0] == "/v1/keys":
                said.pop("key")  # shown once
            again = ask(*one[:4])
            assert again == (status, said, "true"), (one[0], again, said)
        assert made() == count, (made(), count)
    finally:
        node.stop()


def a_fork_is_a_reading():
    """who may not read a session gets no copy of it to read"""
    rules = policy_file('[[rule]]\nid = "unread"\neffect = "deny"\nactions = ["conversation.read"]\n'
                        '[[rule]]\nid = "talk"\neffect = "allow"\nactions = ["*"]\n')
    node = Node(rehearsal.base_url, settings=[f"policy.file={rules}"]).start()
    try:
        session = node.json("POST", "/v1/sessions", {}, expect=201)
        status, _, text = node.request("POST", f"/v1/sessions/{session['session_id']}/fork",
                                       {"event_id": session["last_event_id"]})
        assert status == 403 and json.loads(text)["rule"] == "unread", (status, text)
    finally:
        node.stop()


def unknown_members():
    """an unknown member of a body is refused before anything else, and named"""
    for one in TABLE:
        if one["operation"] in BODIES:
            status, text, _ = ask(w, one, {"nobody_knows": 1})
            assert status == 400 and "nobody_knows" in text, (one, status, text)


def says_what_no_rule_names():
    """a policy of a version that judged less: the start names what it denies now"""
    rules = policy_file('[[rule]]\nid = "talk"\neffect = "allow"\nactions = ["conversation.send"]\n')
    node = Node(rehearsal.base_url, settings=[f"policy.file={rules}"]).start()
    try:
        [line] = [l for l in node.log_text().splitlines() if "policy.unnamed_actions" in l]
        assert "conversation.delete" in line and "conversation.send" not in line, line
    finally:
        node.stop()


if __name__ == "__main__":
    rehearsal = Rehearsal()
    w = Node(rehearsal.base_url, settings=[]).start()
    rehearsal_folder = w.data_dir
    try:
        failed = run_tests([published, every_change_is_judged, every_change_is_recorded, denied, recorded, again_after_a_kill, a_fork_is_a_reading,
                            unknown_members, says_what_no_rule_names])
    finally:
        w.stop()
        rehearsal.stop()
    sys.exit(failed)
