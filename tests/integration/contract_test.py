"""Every operation of schemas/openapi.json, asked rightly and wrongly: each answer is what the
document promises, each event what schemas/event.schema.json says. An operation without a case here
fails, and so does a documented status that no case provokes."""

import itertools
import json
import os
import re
import sys
import tempfile
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from contract import Contract, judge_event
from forms import FORM, form
from node_under_test import ADMIN_KEY, Node, Rehearsal, assert_exactly_once, run_tests, wait_until
from openid import OpenIdProvider
from stream_client import Stream, is_final

BODY_BYTES_MAX = 1 << 21
# What takes a broken disk, a flood or a failing session is provoked in other tests.
PROVOKED_HERE = {200, 201, 202, 204, 304, 400, 401, 403, 404, 413, 415, 422}
NOT_PROVOKED = {("import_session", 413),  # a document of a GiB
                # Of more nodes than one.
                ("drain_node", 202), ("drain_node", 404), ("undrain_node", 202), ("undrain_node", 404),
                # Of dead letters: somabrain_test.py has some.
                ("get_dead_letter", 200), ("requeue_dead_letter", 204), ("delete_dead_letter", 204)}


class World:
    def __init__(self):
        self.rehearsal = Rehearsal()
        self.provider = OpenIdProvider()
        self.backups = tempfile.mkdtemp(prefix="soma-test-") + "/backups"
        self.node = Node(self.rehearsal.base_url, resume="restart",
                         env={"OIDC_ISSUER": self.provider.issuer, "OIDC_CLIENT_ID": "soma"},
                         settings=["memory.wal=true", f"backup.folder={self.backups}", f"http.body_bytes_max={BODY_BYTES_MAX}", "session.queue_max=2",
                                   "http.json_depth_max=20", "workdir.file_bytes_max=1000"])
        self.node.settings += [f"server.base_url=http://127.0.0.1:{self.node.port}",
                               "oidc.tenants=groups=staff -> default"]
        self.other_key = self.node.new_key("--tenant", "other", "--role", "admin")
        self.user_key = self.node.new_key("--role", "user", "--user", "somebody")
        self.node.start()
        self.contract = Contract(self.node)
        # One that keeps secrets.
        self.sealed = Contract(Node(self.rehearsal.base_url, env={
            "GATEWAY_ENC_KEY": "11" * 32, "GATEWAY_INTERNAL_TOKEN": "token"}).start())
        self.ask = self.contract.ask
        # Failed sign-ins are counted by address.
        self.addresses = (f"127.0.{n // 250 + 1}.{n % 250 + 1}" for n in itertools.count())

    def stop(self):
        self.sealed.node.stop()
        self.node.stop()
        self.rehearsal.stop()
        self.provider.stop()

    def session(self, text=None):
        """A session that stands still; with `text` it has answered that."""
        if text is None:
            return self.ask("create_session", 201).json["session_id"]
        accepted = self.node.say(text)
        self.finished(accepted)
        return accepted["session_id"]

    def finished(self, accepted):
        turn = accepted["message_id"]
        wait_until(lambda: any(
            e["type"] == "message.assistant" and e["payload"]["final"]
            and e["payload"]["turn_id"] == turn
            for e in self.node.events(accepted["session_id"])), 30, "the turn's end")

    # ---- what every operation is asked ----

    def refusals(self, operation, body=None, admin=False, **values):
        """Who may not ask, and from where. `body` is one that would be taken."""
        responses = self.contract.operations[operation][2]["responses"]
        given = dict(body=body, **values)
        if "401" in responses and operation not in ("login", "oidc_callback"):
            self.ask(operation, 401, key=None, code="auth.required", **given)
            self.ask(operation, 401, key="sk-nobody", code="auth.invalid",
                     source=next(self.addresses), **given)
        if admin:
            self.ask(operation, 403, key=self.user_key, code="auth.forbidden", **given)
        self.ask(operation, 403, headers={"Origin": "http://evil.example"}, code="origin.refused",
                 **given)
        self.ask(operation, 421, headers={"Host": "evil.example"}, code="host.refused", **given)
        if "id" in values and operation not in (
                "delete_key", "close_sign_in", "get_attachment", "delete_attachment", "get_memory", "update_memory",
                "delete_memory", "list_memory_uses", "get_dead_letter", "requeue_dead_letter", "delete_dead_letter"):
            for strange in (str(uuid.uuid4()), "no-id", "%20", "@you"):
                self.ask(operation, 404, code="session.not_found", body=body, id=strange)
            self.ask(operation, 404, code="session.not_found", body=body, id=values["id"],
                     key=self.other_key)

    def bad_bodies(self, operation, good, **values):
        """Bodies that no route with a JSON body takes."""
        def refused(status, code, body, media_type="application/json"):
            return self.ask(operation, status, code=code, body=body,
                            headers={"Content-Type": media_type}, **values)
        unknown = refused(400, "request.unknown_field", json.dumps({**good, "base_url": "x"})).json
        assert unknown["field"] == "/base_url", unknown
        for text in ("{", "nothing", json.dumps(good) + "x", '{"a":"\x01"}',
                     "[" * 21 + "]" * 21, '{"a":1,"a":2}', b'{"title":"\xff"}'):
            refused(400, "request.malformed_json", text)
        for text in ("[]", "1", '"text"', "null"):
            refused(422, "request.invalid", text)
        for media_type in ("text/plain", "application/json; charset=latin1"):
            refused(415, "request.unsupported_media_type", json.dumps(good), media_type)
        refused(413, "request.too_large", b" " * (BODY_BYTES_MAX + 1))

    def bad_key(self, operation, good, **values):
        """Idempotency keys that are none; one used for another body."""
        for bad in ("x" * 256, "caf\xe9", ""):
            found = self.ask(operation, 400, body=good, headers={"Idempotency-Key": bad},
                             code="request.invalid_parameter", **values)
            assert found.json["parameter"] == "Idempotency-Key", found.text


# ---- sessions ----

def case_list_sessions(w):
    w.refusals("list_sessions")
    made = [w.ask("create_session", 201, {"title": f"Listed {n}"}).json["session_id"]
            for n in range(5)]
    found, cursor = [], ""
    while True:
        page = w.ask("list_sessions", 200, query=f"?q=lISTED&limit=2{cursor}").json
        found += [(s["updated_at"], s["session_id"]) for s in page["sessions"]]
        if page["next_cursor"] is None:
            break
        cursor = "&cursor=" + page["next_cursor"]
    assert sorted(s for _, s in found) == sorted(made), "each once"
    times = [at for at, _ in found]  # two may be of one millisecond
    assert times == sorted(times, reverse=True), "newest first"
    untitled = w.session()
    assert w.ask("list_sessions", 200, query="?limit=1").json["sessions"][0]["session_id"] == untitled
    assert w.ask("list_sessions", 200, key=w.other_key).json["sessions"] == []
    for query, parameter in (("?limit=0", "limit"), ("?limit=201", "limit"), ("?limit=x", "limit"),
                             ("?limit=1&limit=2", "limit"), ("?cursor=%22", "cursor"), ("?cursor=", "cursor"),
                             ("?unknown=1", "unknown"), ("?q=%ff", "q"),
                             ("?q=" + "x" * 201, "q")):
        bad = w.ask("list_sessions", 400, query=query, code="request.invalid_parameter")
        assert bad.json["parameter"] == parameter, bad.text


def case_create_session(w):
    w.refusals("create_session", {})
    w.bad_bodies("create_session", {})
    w.bad_key("create_session", {})
    made = w.ask("create_session", 201, {"title": "Named", "persona_id": "p.1"})
    assert made.json["title"] == "Named" and made.json["persona_id"] == "p.1"
    assert made.headers["location"] == "/v1/sessions/" + made.json["session_id"]
    assert w.ask("create_session", 201).json["title"] == ""
    for body in ({"title": ""}, {"title": "x" * 201}, {"title": 1}, {"persona_id": "-"},
                 {"persona_id": "a b"}):
        w.ask("create_session", 422, body, code="request.invalid")


def case_get_session(w):
    session = w.session("[[rehearsal words=3 delay_ms=0]]")
    w.refusals("get_session", id=session)
    found = w.ask("get_session", 200, id=session).json
    assert found["session_id"] == session and not found["busy"] and found["message_count"] > 0


def case_update_session(w):
    session = w.session()
    w.refusals("update_session", {"title": "t"}, id=session)
    w.bad_bodies("update_session", {"title": "t"}, id=session)
    renamed = w.ask("update_session", 200, {"title": "Renamed é"}, id=session).json
    assert renamed["title"] == "Renamed é"
    assert w.ask("get_session", 200, id=session).json["title"] == "Renamed é"
    shared = w.ask("update_session", 200, {"visibility": "tenant", "shared_with": ["b", "a"]},
                   id=session).json
    assert (shared["visibility"], shared["shared_with"]) == ("tenant", ["a", "b"]), shared
    assert shared["owner"] == "admin" and shared["title"] == "Renamed é", shared
    for body in ({}, {"title": ""}, {"title": None}, {"visibility": "all"}, {"shared_with": "a"},
                 {"shared_with": [""]}, {"shared_with": ["a\nb"]}, {"shared_with": ["é" * 65]}):
        w.ask("update_session", 422, body, code="request.invalid", id=session)


def case_delete_session(w):
    session = w.session()
    w.refusals("delete_session", id=session)
    for bad in ("?memories=perhaps", "?memories=", "?x=1"):
        w.ask("delete_session", 400, id=session, query=bad, code="request.invalid_parameter")
    w.ask("delete_session", 204, id=session)
    for operation in ("delete_session", "get_session", "get_history", "list_events",
                      "get_context_window"):
        w.ask(operation, 404, id=session, code="session.not_found")
    w.ask("delete_session", 204, id=w.node.say("[[rehearsal hang_before=1]]")["session_id"])


def case_get_history(w):
    session = w.session("Tell [[rehearsal text=Once. delay_ms=0]]")
    w.refusals("get_history", id=session)
    found = w.ask("get_history", 200, id=session).json
    assert "Tell" in found["history"] and "Once." in found["history"] and found["tokens"] > 0
    assert found["last_event_id"] == w.node.events(session)[-1]["meta"]["event_id"]
    assert w.ask("get_history", 200, id=w.session()).json["history"] == ""


def case_get_context_window(w):
    session = w.session("Tell [[rehearsal text=Once. delay_ms=0]]")
    w.refusals("get_context_window", id=session)
    found = w.ask("get_context_window", 200, id=session).json
    roles = [p["role"] for p in found["parts"] if p["kind"] != "memory"]  # of sessions before it
    assert roles == ["system", "user", "assistant"], found
    assert found["tokens"] >= sum(p["tokens"] for p in found["parts"]) > 0


def case_reset_session(w):
    session = w.session("[[rehearsal words=2 delay_ms=0]]")
    w.refusals("reset_session", id=session)
    before = w.node.events(session)[-1]["meta"]["event_id"]
    w.ask("reset_session", 200, id=session)
    after = w.node.events(session)
    assert [e["type"] for e in after] == ["session.open"]
    assert int(after[0]["meta"]["event_id"].split(".")[1]) > int(before.split(".")[1])
    w.ask("reset_session", 400, {}, id=session, code="request.malformed")  # takes no body


def case_pause_session(w):
    session = w.session()
    w.refusals("pause_session", {}, id=session)
    w.bad_bodies("pause_session", {}, id=session)
    for body, paused in ((None, True), ({"paused": True}, True), ({"paused": False}, False),
                         ({}, True)):
        found = w.ask("pause_session", 200, body, id=session).json
        assert found["paused"] is paused
        assert found["event_id"] == w.node.events(session)[-1]["meta"]["event_id"]
    w.ask("pause_session", 422, {"paused": "yes"}, id=session, code="request.invalid")
    accepted = w.node.say("waits [[rehearsal words=1 delay_ms=0]]", session)
    assert not any(e["type"] == "llm.request" for e in w.node.events(session))
    w.ask("pause_session", 200, {"paused": False}, id=session)
    w.finished(accepted)


def case_fork_session(w):
    session = w.session("Fork [[rehearsal words=3 delay_ms=0]]")
    event = w.node.events(session)[-1]["meta"]["event_id"]
    good = {"event_id": event}
    w.refusals("fork_session", good, id=session)
    w.bad_bodies("fork_session", good, id=session)
    w.bad_key("fork_session", good, id=session)
    made = w.ask("fork_session", 201, good, id=session)
    assert made.headers["location"] == "/v1/sessions/" + made.json["session_id"]
    copy = w.node.events(made.json["session_id"])
    for each in copy:
        judge_event(each)
    assert copy[0]["payload"]["forked_from"] == {"session_id": session, "event_id": event}
    w.ask("fork_session", 422, {}, id=session, code="request.invalid")
    w.ask("fork_session", 400, {"event_id": "rubbish"}, id=session, code="event_id.malformed")
    w.ask("fork_session", 404, {"event_id": event.split(".")[0] + ".99999"}, id=session,
          code="event.not_found")


def case_export_session(w):
    good = {"session_id": w.session("Export [[rehearsal words=3 delay_ms=0]]")}
    w.refusals("export_session", good)
    w.bad_bodies("export_session", good)
    lines = [json.loads(line) for line in w.ask("export_session", 200, good).text.splitlines()]
    assert lines[0]["soma_export"] == "v1" and lines[-1]["end"] is True
    for each in lines[1:-1]:
        judge_event(each)
    w.ask("export_session", 404, {"session_id": str(uuid.uuid4())}, code="session.not_found")
    w.ask("export_session", 404, good, key=w.other_key, code="session.not_found")


def case_import_session(w):
    session = w.session("Import [[rehearsal words=3 delay_ms=0]]")
    document = w.ask("export_session", 200, {"session_id": session}).text

    def send(status, text, media_type="application/x-ndjson", code=None):
        return w.ask("import_session", status, text.encode(), code=code,
                     headers={"Content-Type": media_type})
    w.refusals("import_session", document.encode())
    made = send(201, document).json
    assert made["created"] and made["session_id"] != session
    for each in w.node.events(made["session_id"]):
        judge_event(each)
    again = send(201, document).json
    assert not again["created"] and again["session_id"] == made["session_id"]
    send(415, document, "text/plain", code="request.unsupported_media_type")
    lines = document.splitlines(keepends=True)
    for bad in ("", "rubbish", "".join(lines[:-1]), "".join(lines[:1] + lines[2:]),
                document.replace("Import", "Tamper", 1)):
        send(422, bad, code="import.invalid")


# ---- files ----

def uploaded(w, content=b"hello"):
    return w.ask("upload_files", 201, form(("a.txt", content)), headers=FORM).json[0]


def case_upload_files(w):
    w.refusals("upload_files", form(("a", b"x")))
    made = uploaded(w)
    assert made["status"] == "clean" and made["url"] == "/v1/attachments/" + made["id"]

    def refused(status, code, body, headers=FORM):
        w.ask("upload_files", status, body, headers=headers, code=code)
    refused(415, "request.unsupported_media_type", form(("a", b"x")), {"Content-Type": "text/plain"})
    elf = b"\x7fELF\2\1\1\0" + bytes(8) + b"\2\0\x3e\0\1\0\0\0" + bytes(100)
    refused(415, "upload.type_refused", form(("a", elf)))
    refused(422, "upload.malformed", b"rubbish")
    refused(422, "upload.empty", form())
    refused(413, "upload.too_many", form(*[("a", b"x")] * 33))


def case_find_known_files(w):
    made = uploaded(w)
    good = {"files": [{"sha256": made["sha256"]}]}
    w.refusals("find_known_files", good)
    w.bad_bodies("find_known_files", good)
    known = w.ask("find_known_files", 200, good).json
    assert known["files"][0]["sha256"] == made["sha256"] and known["missing"] == []
    assert w.ask("find_known_files", 200, good, key=w.other_key).json["files"] == []
    for bad in ({}, {"files": []}, {"files": [{}]}, {"files": [{"sha256": "0" * 63}]},
                {"files": [{"sha256": "G" * 64}]}):
        w.ask("find_known_files", 422, bad, code="request.invalid")


def case_get_attachment(w):
    made = uploaded(w)
    given = {"id": made["id"]}
    w.refusals("get_attachment", **given)
    found = w.ask("get_attachment", 200, **given)
    assert found.text == "hello" and found.headers["content-disposition"].startswith("attachment")
    assert w.ask("get_attachment", 206, headers={"Range": "bytes=1-2"}, **given).text == "el"
    w.ask("get_attachment", 304, headers={"If-None-Match": found.headers["etag"]}, **given)
    w.ask("get_attachment", 416, headers={"Range": "bytes=9-"}, code="range.not_satisfiable", **given)
    w.ask("get_attachment", 404, key=w.other_key, code="attachment.not_found", **given)
    for strange in (str(uuid.uuid4()), "no-id", "%20", "%0a", "@you"):
        w.ask("get_attachment", 404, code="attachment.not_found", id=strange)


def case_delete_attachment(w):
    made = uploaded(w)
    given = {"id": made["id"]}
    w.refusals("delete_attachment", **given)
    w.ask("delete_attachment", 404, key=w.other_key, code="attachment.not_found", **given)
    w.ask("delete_attachment", 404, id="no-id", code="attachment.not_found")
    w.ask("delete_attachment", 204, **given)
    w.ask("delete_attachment", 410, code="attachment.expired", **given)
    w.ask("get_attachment", 410, code="attachment.expired", **given)


def case_get_attachment_internal(w):
    made = uploaded(w)
    token = {"X-Internal-Token": "token", "X-Tenant-ID": "default"}
    w.ask("get_attachment_internal", 401, headers=token, id=made["id"], code="auth.required")
    w.ask("get_attachment_internal", 403, headers={**token, "Origin": "http://evil.example"},
          id=made["id"], code="origin.refused")
    ask = w.sealed.ask
    made = ask("upload_files", 201, form(("a.txt", b"hello")), headers=FORM).json[0]
    def sealed(status, headers, code=None, **values):
        w.contract.answered["get_attachment_internal"].add(status)
        return ask("get_attachment_internal", status, headers=headers, key=None, code=code,
                   **{"id": made["id"], **values})
    assert sealed(200, token).text == "hello"
    sealed(206, {**token, "Range": "bytes=0-1"})
    sealed(304, {**token, "If-None-Match": "*"})
    sealed(401, {**token, "X-Internal-Token": "another"}, "auth.invalid")
    sealed(400, {"X-Internal-Token": "token"}, "request.invalid_parameter")
    sealed(404, {**token, "X-Tenant-ID": "other"}, "attachment.not_found")
    sealed(404, token, "attachment.not_found", id="no-id")


def workdir_refusals(w, operation, body=None, query="", headers=None):
    """Who may not ask, and whose folder may not be asked for; `body` with a session_id in it where
    the operation takes JSON."""
    def ask(status, code, session=None, key=ADMIN_KEY, **fields):
        sent = {**body, "session_id": session} if isinstance(body, dict) and session else body
        text = query
        if session and not isinstance(body, dict):
            text += ("&" if query else "?") + f"session_id={session}"
        w.ask(operation, status, sent, query=text, headers={**(headers or {}), **fields}, key=key,
              code=code)
    ask(401, "auth.required", key=None)
    ask(403, "origin.refused", Origin="http://evil.example")
    ask(404, "session.not_found", session=str(uuid.uuid4()))
    ask(404, "session.not_found", session=w.session(), key=w.other_key)
    if not isinstance(body, dict):
        for bad in ("?session_id=a&session_id=b&path=f", "?unknown=1&path=f", "?path=%ff",
                    "?session_id=&path=f"):
            w.ask(operation, 400, body, query=bad, headers=headers, code="request.invalid_parameter")
        w.ask(operation, 422, body, query="?path=../x", headers=headers, code="workdir.path_invalid")


def written(w, path, content=b"hello"):
    return w.ask("write_workdir_file", 200, content, query="?path=" + path).json


def case_list_workdir(w):
    workdir_refusals(w, "list_workdir")
    written(w, "listed/f")
    found = w.ask("list_workdir", 200, query="?path=listed").json
    assert found["entries"][0]["name"] == "f" and found["used_bytes"] > 0
    w.ask("list_workdir", 404, query="?path=nothing", code="workdir.not_found")
    w.ask("list_workdir", 409, query="?path=listed/f", code="workdir.wrong_kind")


def case_read_workdir_file(w):
    workdir_refusals(w, "read_workdir_file", query="?path=f")
    written(w, "read")
    assert w.ask("read_workdir_file", 200, query="?path=read&offset=1&bytes=2").json["text"] == "el"
    for bad in ("", "?path=", "?path=read&offset=x", "?path=read&bytes=1048577", "?path=read&bytes="):
        w.ask("read_workdir_file", 400, query=bad, code="request.invalid_parameter")
    w.ask("read_workdir_file", 404, query="?path=nothing", code="workdir.not_found")


def case_write_workdir_file(w):
    workdir_refusals(w, "write_workdir_file", b"x", query="?path=f")
    assert written(w, "written/f") == {"path": "written/f", "size_bytes": 5}
    assert w.ask("write_workdir_file", 200, query="?path=empty").json["size_bytes"] == 0
    w.ask("write_workdir_file", 400, b"x", code="request.invalid_parameter")
    w.ask("write_workdir_file", 409, b"x", query="?path=written", code="workdir.wrong_kind")
    w.ask("write_workdir_file", 413, b"x" * 1001, query="?path=large", code="workdir.full")


def case_upload_to_workdir(w):
    good = form(("f", b"hello"))
    workdir_refusals(w, "upload_to_workdir", good, headers=FORM)
    made = w.ask("upload_to_workdir", 201, good, query="?path=sent", headers=FORM).json
    assert made == [{"path": "sent/f", "size_bytes": 5}]
    w.ask("upload_to_workdir", 415, good, headers={"Content-Type": "text/plain"},
          code="request.unsupported_media_type")
    w.ask("upload_to_workdir", 422, form(), headers=FORM, code="upload.empty")
    w.ask("upload_to_workdir", 413, form(("f", b"x" * 1001)), headers=FORM, code="workdir.full")
    w.ask("upload_to_workdir", 409, good, query="?path=sent/f", headers=FORM,
          code="workdir.wrong_kind")


def case_download_from_workdir(w):
    workdir_refusals(w, "download_from_workdir")
    written(w, "down/f")
    found = w.ask("download_from_workdir", 200, query="?path=down/f")
    assert found.text == "hello"
    w.ask("download_from_workdir", 206, query="?path=down/f", headers={"Range": "bytes=0-1"})
    w.ask("download_from_workdir", 304, query="?path=down/f",
          headers={"If-None-Match": found.headers["etag"]})
    w.ask("download_from_workdir", 416, query="?path=down/f", headers={"Range": "bytes=9-"},
          code="range.not_satisfiable")
    w.ask("download_from_workdir", 404, query="?path=nothing", code="workdir.not_found")


def case_move_in_workdir(w):
    good = {"from": "moved/a", "to": "moved/b"}
    workdir_refusals(w, "move_in_workdir", good)
    w.bad_bodies("move_in_workdir", good)
    written(w, "moved/a")
    w.ask("move_in_workdir", 204, good)
    w.ask("move_in_workdir", 404, good, code="workdir.not_found")
    written(w, "moved/a")
    w.ask("move_in_workdir", 409, good, code="workdir.exists")
    w.ask("move_in_workdir", 422, {**good, "to": "../x"}, code="workdir.path_invalid")
    w.ask("move_in_workdir", 422, {"from": "x"}, code="request.invalid")


def case_make_workdir_folder(w):
    good = {"path": "made/here"}
    workdir_refusals(w, "make_workdir_folder", good)
    w.bad_bodies("make_workdir_folder", good)
    w.ask("make_workdir_folder", 204, good)
    w.ask("make_workdir_folder", 204, good)
    written(w, "made/f")
    w.ask("make_workdir_folder", 409, {"path": "made/f/g"}, code="workdir.wrong_kind")
    w.ask("make_workdir_folder", 422, {"path": "/made"}, code="workdir.path_invalid")


def case_delete_from_workdir(w):
    workdir_refusals(w, "delete_from_workdir", query="?path=f")
    written(w, "deleted/f")
    w.ask("delete_from_workdir", 204, query="?path=deleted")
    w.ask("delete_from_workdir", 404, query="?path=deleted", code="workdir.not_found")
    w.ask("delete_from_workdir", 400, code="request.invalid_parameter")


# ---- messages ----

def case_send_message(w):
    good = {"message": "Hi [[rehearsal words=2 delay_ms=0]]"}
    w.refusals("send_message", good)
    w.bad_bodies("send_message", good)
    w.bad_key("send_message", good)
    made = w.ask("send_message", 202, good).json
    w.finished(made)
    again = w.ask("send_message", 202, {**good, "session_id": made["session_id"]}).json
    assert again["session_id"] == made["session_id"] and again["message_id"] != made["message_id"]
    w.finished(again)
    w.ask("send_message", 404, {**good, "session_id": str(uuid.uuid4())}, code="session.not_found")
    w.ask("send_message", 404, {**good, "attachments": [{"id": str(uuid.uuid4())}]},
          code="attachment.not_found")
    w.ask("send_message", 404, {**good, "session_id": made["session_id"]}, key=w.other_key,
          code="session.not_found")
    for bad in ({"message": ""}, {}, {"message": 1}, {**good, "session_id": "x"},
                {**good, "idempotency_key": ""}, {**good, "attachments": [{}]},
                {**good, "attachments": [{"id": "x"}]},
                {**good, "message": "x" * 262145}):
        w.ask("send_message", 422, bad, code="request.invalid")
    w.ask("send_message", 413, json.dumps({"message": "\U0001F600" * 262144}, ensure_ascii=False)
          .encode(), headers={"Content-Type": "application/json"}, code="event.too_large")


def case_send_session_message(w):
    session = w.session()
    good = {"message": "Hi [[rehearsal words=2 delay_ms=0]]"}
    w.refusals("send_session_message", good, id=session)
    w.bad_bodies("send_session_message", good, id=session)
    w.bad_key("send_session_message", good, id=session)
    for body in (good, {"role": "user", "content": good["message"]},
                 {**good, "session_id": session}):
        w.finished(w.ask("send_session_message", 202, body, id=session).json)
    for bad in ({**good, "content": "both"}, {"role": "system", "content": "x"}, {},
                {**good, "session_id": str(uuid.uuid4())}):
        w.ask("send_session_message", 422, bad, code="request.invalid", id=session)
    # A queue that is full: one runs, two wait (session.queue_max).
    for _ in range(3):
        w.ask("send_session_message", 202, {"message": "[[rehearsal hang_before=1]]"}, id=session)
    w.ask("send_session_message", 429, good, id=session, code="session.queue_full")
    w.ask("delete_session", 204, id=session)


def case_session_action(w):
    session = w.session("[[rehearsal words=2 delay_ms=0]]")

    def act(status, action, code=None, **more):
        return w.ask("session_action", status, {"session_id": session, "action": action, **more},
                     code=code)
    good = {"session_id": session, "action": "pause"}
    w.refusals("session_action", good)
    w.bad_bodies("session_action", good)
    w.ask("session_action", 404, {**good, "session_id": str(uuid.uuid4())}, code="session.not_found")
    w.ask("session_action", 404, good, key=w.other_key, code="session.not_found")
    for bad in ({**good, "action": "dance"}, {"action": "stop"}, {**good, "session_id": "x"},
                {**good, "tool_call_id": str(uuid.uuid4())}):
        w.ask("session_action", 422, bad, code="request.invalid")
    assert "event_id" not in act(200, "stop").json  # nothing runs: nothing happens
    act(404, "stop", "tool_call.not_found", tool_call_id=str(uuid.uuid4()))
    assert act(200, "pause").json["status"] == "done"
    act(409, "retry", "session.paused")
    act(200, "resume")
    for action in ("retry", "nudge", "summarize"):
        before = len(w.node.events(session))
        assert act(200, action).json["status"] == "started", action
        wait_until(lambda: w.node.events(session)[before:] and not w.ask(
            "get_session", 200, id=session).json["busy"], 20, action)
    running = w.node.say("[[rehearsal words=500 delay_ms=20]]", session)
    act(409, "retry", "session.busy")
    wait_until(lambda: any(e["type"] == "llm.delta" and e["payload"]["turn_id"] ==
                           running["message_id"] for e in w.node.events(session)), 10, "a delta")
    act(200, "stop")
    completes = [e["payload"] for e in w.node.events(session) if e["type"] == "llm.complete"]
    assert completes[-1]["finish_reason"] == "cancelled"  # durable before the answer
    act(200, "restart")
    w.ask("session_action", 409, {"session_id": w.session(), "action": "retry"},
          code="session.nothing_to_retry")


# ---- events ----

def case_list_events(w):
    session = w.session("[[rehearsal words=40 delay_ms=1]]")
    w.refusals("list_events", id=session)
    whole = w.ask("list_events", 200, query="?limit=500", id=session).json
    assert whole["next_cursor"] is None and whole["session_id"] == session
    for each in whole["events"]:
        judge_event(each)
    assert_exactly_once(whole["events"])
    ids = [e["meta"]["event_id"] for e in whole["events"]]

    def pages(query, link):
        found = []
        while query:
            page = w.ask("list_events", 200, query=query, id=session).json
            part = [e["meta"]["event_id"] for e in page["events"]]
            found = found + part if link == "after" else part + found
            query = f"?limit=3&{link}={page['next_cursor']}" if page["next_cursor"] else None
        return found
    assert pages("?limit=3", "after") == ids
    assert pages("?limit=3&before=" + ids[-1], "before") == ids[:-1]
    both = w.ask("list_events", 200, query=f"?after={ids[1]}&before={ids[4]}", id=session).json
    assert [e["meta"]["event_id"] for e in both["events"]] == ids[2:4]
    assert w.ask("list_events", 200, query="?after=end", id=session).json["events"] == []
    some = w.ask("list_events", 200, query="?types=message.user,llm.complete", id=session).json
    assert [e["type"] for e in some["events"]] == ["message.user", "llm.complete"]
    short = w.ask("list_events", 200, query="?compact=true&limit=500", id=session).json["events"]
    assert not any(e["type"] == "llm.delta" for e in short)
    assert {e["meta"]["event_id"] for e in short} < set(ids)
    for query, parameter in (("?limit=0", "limit"), ("?limit=501", "limit"), ("?types=", "types"),
                             ("?types=no.such", "types"), ("?compact=maybe", "compact"),
                             ("?x=1", "x"), ("?after=start&after=end", "after")):
        bad = w.ask("list_events", 400, query=query, id=session, code="request.invalid_parameter")
        assert bad.json["parameter"] == parameter, bad.text
    for query in ("?after=5", "?after=1.x", "?after=-1.2", "?before=end", "?after=1.2.3",
                  "?after=99999999999.1", "?after=%201.2"):
        w.ask("list_events", 400, query=query, id=session, code="event_id.malformed")


def case_append_event(w):
    session = w.session()
    good = {"name": "my.event", "data": {"a": [1, None, "é"]}}
    w.refusals("append_event", good, id=session)
    w.bad_bodies("append_event", good, id=session)
    w.bad_key("append_event", good, id=session)
    for data in (good["data"], None, 1.5, "text", [], 12345678901234567890):
        made = w.ask("append_event", 202, {"name": "my.event", "data": data}, id=session).json
        last = w.node.events(session)[-1]
        judge_event(last)
        assert last["meta"]["event_id"] == made["event_id"] and last["payload"]["data"] == data
    for bad in ({"name": "x"}, {"data": 1}, {"name": "X", "data": 1}, {"name": "", "data": 1}):
        w.ask("append_event", 422, bad, id=session, code="request.invalid")
    for name in ("soma.feedback", "soma."):
        w.ask("append_event", 422, {"name": name, "data": 1}, id=session,
              code="event.name_reserved")
    w.ask("append_event", 202, {"name": "somatic.event", "data": 1}, id=session)
    w.ask("append_event", 413, {"name": "x", "data": "x" * 950_000}, id=session,
          code="event.too_large")


def case_give_feedback(w):
    session = w.session("[[rehearsal words=3 delay_ms=0]]")
    events = w.node.events(session)
    answer = next(e["payload"]["message_id"] for e in events if e["type"] == "message.assistant")
    asked = next(e["payload"]["message_id"] for e in events if e["type"] == "message.user")
    good = {"session_id": session, "message_id": answer, "rating": "helpful"}
    w.refusals("give_feedback", good)
    w.bad_bodies("give_feedback", good)
    w.bad_key("give_feedback", good)
    most = {**good, "rating": "not_helpful", "comment": "é" * 4000,
            "tags": [f"{n:02}" + "x" * 62 for n in range(16)]}
    for body in (good, most):
        made = w.ask("give_feedback", 202, body).json
        last = w.node.events(session)[-1]
        judge_event(last)
        assert last["meta"]["event_id"] == made["event_id"], made
        assert (last["type"], last["payload"]["name"]) == ("app.event", "soma.feedback")
        assert last["payload"]["data"] == {
            "message_id": answer, "rating": body["rating"], "tags": body.get("tags", []),
            "comment": body.get("comment", "")}, last
    for bad in ({"rating": "good"}, {"rating": None}, {"comment": "x" * 4001}, {"comment": 1},
                {"tags": ["x" * 65]}, {"tags": [""]}, {"tags": ["a", "a"]}, {"tags": "a"},
                {"tags": [str(n) for n in range(17)]}, {"message_id": "no-id"}):
        w.ask("give_feedback", 422, {**good, **bad}, code="request.invalid")
    for missing in good:
        w.ask("give_feedback", 422, {k: v for k, v in good.items() if k != missing},
              code="request.invalid")
    for strange in (str(uuid.uuid4()), asked):
        w.ask("give_feedback", 404, {**good, "message_id": strange}, code="message.not_found")
    w.ask("give_feedback", 404, {**good, "session_id": str(uuid.uuid4())},
          code="session.not_found")
    w.ask("give_feedback", 404, good, key=w.other_key, code="session.not_found")


def case_stream_events(w):
    session = w.session("[[rehearsal words=3 delay_ms=0]]")
    w.refusals("stream_events", id=session)
    for query in ("?after=x", "?after=1"):
        w.ask("stream_events", 400, query=query, id=session, code="event_id.malformed")
    w.ask("stream_events", 400, headers={"Last-Event-ID": "no"}, id=session,
          code="event_id.malformed")
    for query in ("?types=no.such", "?types=", "?compact=2", "?x=1"):
        w.ask("stream_events", 400, query=query, id=session, code="request.invalid_parameter")
    w.ask("stream_events", 401, query="?ticket=rubbish", key=None, id=session,
          code="ticket.invalid", source=next(w.addresses))
    with Stream(w.node, w.contract.path_of("stream_events", id=session)) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.headers["x-request-id"]
        for block in stream.until(is_final):
            judge_event(block["data"])
            assert block["id"] == block["data"]["meta"]["event_id"]
            assert block["event"] == block["data"]["type"]
    w.contract.answered["stream_events"].add(200)


def case_stream_tenant(w):
    w.refusals("stream_tenant")
    w.ask("stream_tenant", 400, query="?x=1", code="request.invalid_parameter")
    with Stream(w.node, "/v1/session/@me/events") as stream:
        snapshot = stream.next_event()
        assert snapshot["event"] == "session.list" and "id" not in snapshot
        for session in snapshot["data"]["payload"]["sessions"]:
            w.contract.validate({"$ref": "#/components/schemas/session"}, session, "snapshot")
    w.contract.answered["stream_tenant"].add(200)


def case_create_ticket(w):
    session = w.session()
    w.refusals("create_ticket", id=session)
    ticket = w.ask("create_ticket", 201, id=session).json
    assert ticket["url"] == f"/v1/session/{session}/events?ticket={ticket['ticket']}"


# ---- memories ----

NO_MEMORIES = ("none", "%20", "a%0Ab", "@you")


def case_add_memory(w):
    good = {"text": "The key is under the mat", "tags": ["home"], "importance": 0.9}
    w.refusals("add_memory", good)
    w.bad_bodies("add_memory", good)
    for bad in ({}, {"text": ""}, {"text": 1}, {"text": "x" * 16385}, {**good, "kind": "message"},
                {**good, "importance": 2}, {**good, "tags": ["a\nb"]}, {**good, "tags": [""]},
                {**good, "expires_at": "2001-01-01T00:00:00Z"}, {**good, "expires_at": "soon"},
                {**good, "expires_at": None}):
        w.ask("add_memory", 422, bad, code="request.invalid")
    w.bad_key("add_memory", good)
    made = w.ask("add_memory", 201, good)
    assert made.headers["location"] == "/v1/memories/" + made.json["memory_id"]
    again = w.ask("add_memory", 200, {"text": "the KEY is under  the mat."})
    assert again.json == made.json, again.json
    assert w.ask("add_memory", 201, good, key=w.other_key).json["memory_id"] != made.json["memory_id"]


    key = {"Idempotency-Key": str(uuid.uuid4())}
    keyed = w.ask("add_memory", 201, {"text": "The spade is in the shed", "expires_at": "2999-01-01T00:00:00Z"},
                  headers=key)
    assert keyed.json["expires_at"] == "2999-01-01T00:00:00.000Z", keyed.json
    w.ask("update_memory", 200, {"pinned": True}, id=keyed.json["memory_id"])
    replayed = w.ask("add_memory", 201, {"expires_at": "2999-01-01T00:00:00Z", "text": "The spade is in the shed"},
                     headers=key)
    assert replayed.json == keyed.json and replayed.headers["idempotency-replayed"] == "true", replayed.json
    for name in ("etag", "location"):
        assert replayed.headers[name] == keyed.headers[name]
    w.ask("add_memory", 422, {"text": "Another"}, headers=key, code="idempotency.mismatch")
    key = {"Idempotency-Key": str(uuid.uuid4())}
    for _ in range(2):  # what was noted before is an answer, too
        assert w.ask("add_memory", 200, good, headers=key).json == made.json


def case_list_memories(w):
    w.refusals("list_memories")
    w.ask("add_memory", 201, {"text": "one of a list", "tags": ["of-a-list"]})
    w.ask("add_memory", 201, {"text": "another of a list", "tags": ["of-a-list"]})
    for bad in ("limit=0", "limit=201", "cursor=", "cursor=x", "pinned=perhaps", "x=1"):
        w.ask("list_memories", 400, query="?" + bad, code="request.invalid_parameter")
    first = w.ask("list_memories", 200, query="?tag=of-a-list&limit=1").json
    second = w.ask("list_memories", 200,
                   query="?tag=of-a-list&limit=1&cursor=" + first["next_cursor"]).json
    assert [m["text"] for m in first["memories"] + second["memories"]] == [
        "another of a list", "one of a list"]
    assert second["next_cursor"] is None
    for none in ("?kind=summary", "?tag=other", "?session_id=" + str(uuid.uuid4()), "?state=failed",
                 "?tag=of-a-list&pinned=true"):
        assert w.ask("list_memories", 200, query=none).json["memories"] == [], none
    assert w.ask("list_memories", 200, query="?tag=of-a-list", key=w.other_key).json["memories"] == []


def case_search_memories(w):
    w.refusals("search_memories", query="?q=x")
    w.ask("add_memory", 201, {"text": "The zebra lives in Zürich"})
    for bad in ("", "?q=", "?q=x&limit=101", "?q=" + "x" * 8193, "?q=x&x=1", "?q=x&pinned=2"):
        w.ask("search_memories", 400, query=bad, code="request.invalid_parameter")
    found = w.ask("search_memories", 200, query="?q=ZEBRA%20zurich").json
    assert [m["text"] for m in found["memories"]] == ["The zebra lives in Zürich"], found
    assert w.ask("search_memories", 200, query="?q=zebra", key=w.other_key).json["memories"] == []


def case_export_memories(w):
    w.refusals("export_memories")
    w.ask("add_memory", 201, {"text": "The tapir is to be taken along"})
    w.ask("list_memories", 200)  # which waits for the index
    given = w.ask("export_memories", 200)
    lines = [json.loads(line) for line in given.text.splitlines()]
    assert "The tapir is to be taken along" in [m["text"] for m in lines], lines
    assert "tapir" not in w.ask("export_memories", 200, key=w.other_key).text


def case_get_memory(w):
    made = w.ask("add_memory", 201, {"text": "to be shown"})
    path = {"id": made.json["memory_id"]}
    w.refusals("get_memory", **path)
    shown = w.ask("get_memory", 200, **path)
    assert shown.json == made.json and shown.headers["etag"] == made.headers["etag"]
    w.ask("get_memory", 404, key=w.other_key, code="memory.not_found", **path)
    for none in NO_MEMORIES:
        w.ask("get_memory", 404, id=none, code="memory.not_found")


def case_update_memory(w):
    made = w.ask("add_memory", 201, {"text": "to be changed"})
    path, good = {"id": made.json["memory_id"]}, {"pinned": True}
    w.refusals("update_memory", good, **path)
    w.bad_bodies("update_memory", good, **path)
    for bad in ({}, {"pinned": 1}, {"text": ""}, {"importance": -1}, {"expires_at": "2001-01-01T00:00:00Z"},
                {"expires_at": 1}, {"expires_at": "2999-01-01"}):
        w.ask("update_memory", 422, bad, code="request.invalid", **path)
    w.ask("update_memory", 404, good, key=w.other_key, code="memory.not_found", **path)
    for none in NO_MEMORIES:
        w.ask("update_memory", 404, good, id=none, code="memory.not_found")
    changed = w.ask("update_memory", 200, {"text": "changed", "tags": ["t"], "pinned": True,
                                           "importance": 1}, **path)
    assert changed.json["text"] == "changed" and changed.json["pinned"], changed.json
    stale = {"If-Match": made.headers["etag"]}
    w.ask("update_memory", 412, good, headers=stale, code="memory.changed", **path)
    w.ask("delete_memory", 412, headers=stale, code="memory.changed", **path)
    w.ask("update_memory", 200, {"pinned": False}, headers={"If-Match": changed.headers["etag"]},
          **path)
    until = w.ask("update_memory", 200, {"expires_at": "2999-01-01T00:00:00.5Z"}, **path)
    assert until.json["expires_at"] == "2999-01-01T00:00:00.500Z", until.json
    assert "expires_at" not in w.ask("update_memory", 200, {"expires_at": None}, **path).json


def case_delete_memory(w):
    made = w.ask("add_memory", 201, {"text": "to be forgotten, the quagga"})
    path = {"id": made.json["memory_id"]}
    w.refusals("delete_memory", **path)
    w.ask("delete_memory", 404, key=w.other_key, code="memory.not_found", **path)
    w.ask("delete_memory", 204, headers={"If-Match": made.headers["etag"]}, **path)
    w.ask("delete_memory", 404, code="memory.not_found", **path)
    assert w.ask("search_memories", 200, query="?q=quagga").json["memories"] == []


def case_recall_memory(w):
    made = w.ask("add_memory", 201, {"text": "The okapi is called Olga"}).json
    good = {"query": "what is the okapi called?"}
    w.refusals("recall_memory", good)
    w.bad_bodies("recall_memory", good)
    for bad in ({}, {**good, "ids": ["x"]}, {"query": ""}, {**good, "limit": 0}, {**good, "at": "x"},
                {**good, "kinds": ["none"]}, {"ids": []}):
        w.ask("recall_memory", 422, bad, code="request.invalid")
    w.ask("recall_memory", 404, {"context_window": True, "session_id": "nowhere"}, code="session.not_found")
    w.ask("list_memories", 200)  # which waits for the index
    answer = w.ask("recall_memory", 200, good).json
    assert answer["items"][0]["memory_id"] == made["memory_id"], answer
    w.ask("add_memory", 201, {"text": "what the okapi is called is a secret"})
    assert w.ask("recall_memory", 200, {**good, "at": answer["as_of"]}).json == answer
    of_ids = w.ask("recall_memory", 200, {"ids": [made["memory_id"], "none"]}).json["items"]
    assert [i["memory_id"] for i in of_ids] == [made["memory_id"]]
    assert w.ask("recall_memory", 200, {"ids": [made["memory_id"]]},
                 key=w.other_key).json["items"] == []
    theirs = w.ask("recall_memory", 200, good, key=w.other_key).json["items"]
    assert not [i for i in theirs if "okapi" in i["text"]], theirs


def case_import_document(w):
    good = {"attachment_id": uploaded(w, b"# Shelf\n\nThe okapi's keeper is called Otto.")["id"]}
    w.refusals("import_document", good)
    w.bad_bodies("import_document", good)
    for bad in ({}, {"attachment_id": ""}, {"attachment_id": 1}):
        w.ask("import_document", 422, bad, code="request.invalid")
    w.ask("import_document", 404, {"attachment_id": str(uuid.uuid4())}, code="attachment.not_found")
    w.ask("import_document", 404, good, key=w.other_key, code="attachment.not_found")
    w.bad_key("import_document", good)
    key = {"Idempotency-Key": str(uuid.uuid4())}
    made = w.ask("import_document", 201, good, headers=key).json
    replayed = w.ask("import_document", 201, good, headers=key)
    assert replayed.json == made and replayed.headers["idempotency-replayed"] == "true", replayed.json
    w.ask("import_document", 422, {"attachment_id": str(uuid.uuid4())}, headers=key, code="idempotency.mismatch")
    assert (made["passages"], made["again"], made["truncated"]) == (1, False, False), made
    assert w.ask("import_document", 200, good).json == {**made, "again": True}
    w.ask("list_memories", 200)
    found = w.ask("recall_memory", 200, {"query": "okapi's keeper", "kinds": ["knowledge"]}).json
    item = found["items"][0]
    assert item["attachment_id"] == good["attachment_id"] and item["place"]["file"] == "a.txt", item
    blank = {"attachment_id": uploaded(w, b" \n ")["id"]}
    assert w.ask("import_document", 200, blank).json["passages"] == 0
    broken = {"attachment_id": uploaded(w, b"%PDF-1.7\nno more than that")["id"]}
    refused = w.ask("import_document", 422, broken, code="request.invalid").json
    assert refused["parameter"] == "attachment_id", refused
    w.ask("delete_attachment", 204, id=good["attachment_id"])
    w.ask("import_document", 410, good, code="attachment.expired")


def case_list_memory_uses(w):
    made = w.ask("add_memory", 201, {"text": "The numbat eats termites alone"}).json
    path = {"id": made["memory_id"]}
    w.refusals("list_memory_uses", **path)
    for bad in ("limit=0", "limit=201", "cursor=", "cursor=x", "cursor=1.x.s", "x=1"):
        w.ask("list_memory_uses", 400, query="?" + bad, code="request.invalid_parameter", **path)
    w.ask("list_memory_uses", 404, key=w.other_key, code="memory.not_found", **path)
    for none in NO_MEMORIES:
        w.ask("list_memory_uses", 404, id=none, code="memory.not_found")
    assert w.ask("list_memory_uses", 200, **path).json == {"uses": []}  # recall_test.py has some


def case_list_documents(w):
    w.refusals("list_documents")
    for bad in ("limit=0", "limit=201", "cursor=", "cursor=a%0Ab", "x=1"):
        w.ask("list_documents", 400, query="?" + bad, code="request.invalid_parameter")
    made = [uploaded(w, f"The aardvark of shelf {n}.".encode())["id"] for n in range(3)]
    for one in made:
        w.ask("import_document", 201, {"attachment_id": one})
    found, cursor = {}, ""
    while True:
        page = w.ask("list_documents", 200, query=f"?limit=2{cursor}").json
        assert len(page["documents"]) <= 2, page
        found |= {d["attachment_id"]: d for d in page["documents"]}
        if "next_cursor" not in page:
            break
        cursor = "&cursor=" + page["next_cursor"]
    assert set(made) <= set(found), (made, found)
    one = found[made[0]]
    assert (one["filename"], one["session_id"], one["passages"], one["owner"]) == ("a.txt", None, 1, "admin"), one
    assert one["bytes"] == len("The aardvark of shelf 0."), one
    assert w.ask("list_documents", 200, key=w.other_key).json == {"documents": []}


def case_forget_document(w):
    made = uploaded(w, b"The pangolin rolls itself up.")["id"]
    path = {"attachment_id": made}
    w.ask("import_document", 201, path)
    w.refusals("forget_document", **path)
    for none in (*NO_MEMORIES, str(uuid.uuid4())):
        w.ask("forget_document", 404, attachment_id=none, code="memory.not_found")
    w.ask("forget_document", 404, key=w.other_key, code="memory.not_found", **path)
    assert w.ask("forget_document", 200, **path).json == {"forgotten": 1}
    w.ask("forget_document", 404, code="memory.not_found", **path)
    assert w.ask("search_memories", 200, query="?q=pangolin").json["memories"] == []
    w.ask("get_attachment", 200, id=made)
    assert w.ask("import_document", 201, path).json["again"] is False


def indexed_status(w):
    """Once all that was written is counted."""
    def settled():
        status = w.ask("get_memory_status", 200).json
        return status if status["waiting"] == 0 else None
    return wait_until(settled, what="the index")


def case_get_memory_status(w):
    w.refusals("get_memory_status")
    before = indexed_status(w)
    w.ask("add_memory", 201, {"text": "to be counted"})
    w.ask("list_memories", 200)
    after = indexed_status(w)
    assert (after["stored"], after["bytes"]) == (before["stored"] + 1, before["bytes"] + 13), (before, after)
    assert (after["items_max"], after["bytes_max"]) == (1_000_000, 0), after


def case_read_memory_log(w):
    w.refusals("read_memory_log", admin=True)
    for bad in ("after=", "after=x", "after=0123456789abcdef.1", "follow=2", "x=1", "after=" + "y" * 65):
        w.ask("read_memory_log", 400, query="?follow=false&" + bad if "follow" not in bad else "?" + bad,
              code="request.invalid_parameter")
    made = w.ask("add_memory", 201, {"text": "to be followed, the dugong"}).json["memory_id"]

    def lines():
        text = w.ask("read_memory_log", 200, query="?follow=false").text
        return [json.loads(line) for line in text.splitlines()]
    wait_until(lambda: made in [one["item"]["memory_id"] for one in lines() if one["type"] == "put"],
               what="the log")
    all_of_it = lines()
    assert [one["type"] for one in (all_of_it[0], all_of_it[-1])] == ["begin", "head"]
    assert "dugong" not in w.ask("read_memory_log", 200, query="?follow=false", key=w.other_key).text
    last = all_of_it[-1]["position"]
    rest = w.ask("read_memory_log", 200, query=f"?follow=false&after={last}").text.splitlines()
    assert [json.loads(line)["type"] for line in rest] == ["begin", "head"], rest


def case_apply_memory_log(w):
    item = {"memory_id": "of-another-site", "kind": "note", "text": "the manatee is called Mo", "tags": [],
            "importance": 0.5, "pinned": False, "owner": "bo", "created_at": 1700000000000,
            "updated_at": 1700000000000, "state": "stored"}
    put = json.dumps({"type": "put", "position": "p.1", "item": item})
    head = json.dumps({"type": "head", "position": "p.1", "at": 1700000000000})
    good = {"log": "a-log", "after": "", "lines": [put, head]}
    w.refusals("apply_memory_log", good, admin=True)
    w.bad_bodies("apply_memory_log", good)
    for bad in ({"log": ""}, {"log": "x" * 65}, {"log": "l", "lines": ["{}"]}, {"log": "l", "lines": [put, "x"]},
                {"log": "l", "lines": ["x"] * 502}, {"log": "l", "after": 1}):
        w.ask("apply_memory_log", 422, bad, code="request.invalid")
    done = w.ask("apply_memory_log", 200, good, key=w.other_key).json
    assert done == {"position": "p.1", "applied": 1, "left_alone": 0, "gone": 0}, done
    w.ask("apply_memory_log", 412, good, key=w.other_key, code="memory.changed")
    w.ask("apply_memory_log", 422, {"log": "another", "after": "p.1"}, key=w.other_key, code="request.invalid")
    found = w.ask("get_memory_status", 200, key=w.other_key).json["followed"]
    assert found == {"log": "a-log", "position": "p.1", "caught_up": True}, found
    w.ask("apply_memory_log", 200, {"log": "a-log", "end": True}, key=w.other_key)
    assert "followed" not in w.ask("get_memory_status", 200, key=w.other_key).json
    w.ask("get_memory", 200, id="of-another-site", key=w.other_key)
    w.ask("get_memory", 404, id="of-another-site", code="memory.not_found")


def case_sync_memory(w):
    w.refusals("sync_memory", admin=True)
    assert w.ask("sync_memory", 200).json == {"configured": False, "looked_at": 0, "queued": 0,
                                              "gone": 0}


def audit_filters(w, operation):
    w.refusals(operation, admin=True)
    for bad in ("from=yesterday", "to=2026", "who=", "what=" + "x" * 257, "session_id=", "x=1"):
        w.ask(operation, 400, query="?" + bad, code="request.invalid_parameter")


def case_list_audit(w):
    audit_filters(w, "list_audit")
    for bad in ("limit=0", "limit=201", "cursor=", "cursor=x", "cursor=0"):
        w.ask("list_audit", 400, query="?" + bad, code="request.invalid_parameter")
    made = w.ask("create_session", 201, headers={"X-Request-ID": "to-be-found"}).json["session_id"]
    found = w.ask("list_audit", 200, query="?request_id=to-be-found&who=admin&what=conversation.*"
                  f"&session_id={made}&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00.000Z").json
    assert [r["resource"] for r in found["records"]] == [made], found
    page = w.ask("list_audit", 200, query="?limit=1").json
    behind = w.ask("list_audit", 200, query=f"?limit=1&cursor={page['next_cursor']}").json
    assert behind["records"][0]["seq"] < page["records"][0]["seq"], behind


def case_export_audit(w):
    audit_filters(w, "export_audit")
    lines = w.ask("export_audit", 200, query="?what=auth.refused").text.splitlines()
    assert lines and all(json.loads(line)["what"] == "auth.refused" for line in lines), lines
    theirs = w.ask("export_audit", 200, key=w.other_key).text.splitlines()
    assert all(json.loads(line)["who"]["tenant_id"] == "other" for line in theirs), theirs


def case_get_audit_head(w):
    w.refusals("get_audit_head", admin=True)
    assert w.ask("get_audit_head", 200).json["seq"] > 0


def case_get_audit_record(w):
    w.refusals("get_audit_record", admin=True, seq="1")
    assert w.ask("get_audit_record", 200, seq="1").json["what"] == "audit.begun"
    for strange in ("0", "99999999", "-1", "01x", "%20", "x" * 64, "18446744073709551616"):
        w.ask("get_audit_record", 404, seq=strange, code="audit.not_found")


def case_list_backups(w):
    w.refusals("list_backups", admin=True)
    w.ask("list_backups", 400, query="?x=1", code="request.invalid_parameter")
    w.ask("list_backups", 403, key=w.other_key, code="auth.forbidden")
    shown = w.ask("list_backups", 200).json
    assert shown["set_up"] and shown["damaged"] == [], shown


def case_begin_backup(w):
    w.refusals("begin_backup", admin=True)
    w.ask("begin_backup", 403, key=w.other_key, code="auth.forbidden")
    w.ask("begin_backup", 202)
    w.sealed.ask("begin_backup", 409, code="backup.not_set_up")
    assert w.sealed.ask("list_backups", 200).json["set_up"] is False
    shown = wait_until(lambda: (now := w.ask("list_backups", 200).json)["state"] != "running" and now, what="a backup")
    assert shown["state"] == "done" and shown["backups"], shown


def case_list_dead_letters(w):
    w.refusals("list_dead_letters", admin=True)
    for bad in ("limit=0", "limit=201", "cursor=", "cursor=x", "x=1"):
        w.ask("list_dead_letters", 400, query="?" + bad, code="request.invalid_parameter")
    none = {"rows": [], "next_cursor": None}
    assert w.ask("list_dead_letters", 200, query="?sink=somabrain&limit=1").json == none
    assert w.ask("list_dead_letters", 200, query="?cursor=" + "0" * 20).json == none


def no_dead_letter(w, operation):
    w.refusals(operation, admin=True, id="0" * 20)
    for strange in ("0" * 20, str(uuid.uuid4()), "no-id", "%20", "x" * 64):
        w.ask(operation, 404, id=strange, code="dlq.not_found")


def case_get_dead_letter(w):
    no_dead_letter(w, "get_dead_letter")


def case_requeue_dead_letter(w):
    no_dead_letter(w, "requeue_dead_letter")


def case_delete_dead_letter(w):
    no_dead_letter(w, "delete_dead_letter")


# ---- the cluster: of a server that is alone ----

def case_get_cluster(w):
    w.refusals("get_cluster", admin=True)
    w.ask("get_cluster", 400, query="?x=1", code="request.invalid_parameter")
    w.ask("get_cluster", 403, key=w.other_key, code="auth.forbidden")
    shown = w.ask("get_cluster", 200, query=f"?session_id={w.session()}").json
    assert shown == {"clustered": False, "node_id": "", "draining": False, "moves_under_way": 0, "nodes": [],
                     "partitions": [], "refused": []}, shown


def case_drain_node(w, operation="drain_node"):
    w.refusals(operation, {}, admin=True)
    w.bad_bodies(operation, {})
    w.ask(operation, 422, {"node_id": 1}, code="request.invalid")
    w.ask(operation, 403, key=w.other_key, code="auth.forbidden")
    for body in (None, {}, {"node_id": "another"}):
        w.ask(operation, 409, body, code="cluster.absent")


def case_undrain_node(w):
    case_drain_node(w, "undrain_node")


# ---- settings ----

def case_get_settings(w):
    w.refusals("get_settings", admin=True)
    found = w.ask("get_settings", 200).json["llm"]
    assert found == {"base_url": w.rehearsal.base_url, "model": "rehearsal", "api_key": ""}


def changed_settings(w, operation):
    good = {"llm": {"model": "rehearsal"}}
    w.refusals(operation, good, admin=True)
    w.bad_bodies(operation, good)
    assert w.ask(operation, 200, {"llm": {"model": "other"}}).json["llm"]["model"] == "other"
    assert w.ask(operation, 200, {"llm": {"model": ""}}).json["llm"]["model"] == "rehearsal"
    for bad in ({}, {"llm": {}}, {"llm": {"base_url": "ftp://x"}}, {"llm": {"model": 1}},
                {"llm": {"base_url": "http://user:pass@host/v1"}}):
        w.ask(operation, 422, bad, code="request.invalid")
    egress = {"egress": {"pii": "report"}}
    assert w.ask(operation, 200, egress).json["egress"] == {"pii": "report", "from": "tenant"}
    assert w.ask(operation, 200, {"egress": {"pii": ""}}).json["egress"]["from"] == "configuration"
    for bad in ({"egress": {}}, {"egress": {"pii": "sometimes"}}, {"egress": {"pii": None}}):
        w.ask(operation, 422, bad, code="request.invalid")
    nested = w.ask(operation, 400, {"llm": {"colour": 1}}, code="request.unknown_field")
    assert nested.json["field"] == "/llm/colour"
    w.ask(operation, 409, {"llm": {"api_key": "sk-secret"}}, code="secret.key_missing")


def case_update_settings(w):
    changed_settings(w, "update_settings")


def case_update_settings_post(w):
    changed_settings(w, "update_settings_post")


def case_get_runtime_config(w):
    w.refusals("get_runtime_config")
    found = w.ask("get_runtime_config", 200)
    assert found.json["flags"]["rehearsal"] is True
    assert found.json["limits"]["body_bytes_max"] == BODY_BYTES_MAX
    w.ask("get_runtime_config", 304, headers={"If-None-Match": found.headers["etag"]})
    w.ask("get_runtime_config", 200, headers={"If-None-Match": '"other"'}, key=w.user_key)


# ---- models ----

def good_profile(w, **more):
    return {"model": "rehearsal", "base_url": w.rehearsal.base_url, "role": "extra", **more}


def bad_profile_bodies(w, operation, good, **values):
    """As bad_bodies, for a body in which base_url is known."""
    unknown = w.ask(operation, 400, {**good, "api_key": "x"}, code="request.unknown_field", **values)
    assert unknown.json["field"] == "/api_key", unknown.text
    plain(w, operation, good, **values)
    for bad in ({**good, "model": ""}, {**good, "base_url": "ftp://x"}, {**good, "kind": "x"},
                {**good, "parameters": {"temperature": 9}}):
        w.ask(operation, 422, bad, code="request.invalid", **values)
    bad = w.ask(operation, 422, {**good, "base_url": "http://x:0"}, code="profile.invalid", **values)
    assert bad.json["field"] == "base_url", bad.text


def plain(w, operation, good, **values):
    """Bodies that no route takes, without the unknown member."""
    for status, code, body, media_type in (
            (400, "request.malformed_json", "{", "application/json"),
            (422, "request.invalid", "[]", "application/json"),
            (415, "request.unsupported_media_type", json.dumps(good), "text/plain"),
            (413, "request.too_large", b" " * (BODY_BYTES_MAX + 1), "application/json")):
        w.ask(operation, status, code=code, body=body, headers={"Content-Type": media_type},
              **values)


def case_list_model_profiles(w):
    w.refusals("list_model_profiles", admin=True)
    found = w.ask("list_model_profiles", 200).json["profiles"]
    assert [(p["name"], p["source"]) for p in found][:1] == [("default", "configuration")], found


def case_create_model_profile(w):
    good = good_profile(w, name="created")
    w.refusals("create_model_profile", good, admin=True)
    bad_profile_bodies(w, "create_model_profile", good)
    w.bad_key("create_model_profile", good)
    made = w.ask("create_model_profile", 201, good, headers={"Idempotency-Key": "profile 1"})
    assert made.headers["location"] == "/v1/model-profiles/created" and made.headers["etag"]
    again = w.ask("create_model_profile", 201, good, headers={"Idempotency-Key": "profile 1"})
    assert again.json == made.json and again.headers["idempotency-replayed"] == "true"
    w.ask("create_model_profile", 409, good, code="profile.exists")


def case_get_model_profile(w):
    w.ask("put_model_profile", 200, good_profile(w), name="got")
    w.refusals("get_model_profile", admin=True, name="got")
    found = w.ask("get_model_profile", 200, name="got")
    assert found.headers["etag"] and found.json["source"] == "tenant"
    w.ask("get_model_profile", 404, name="none", code="profile.not_found")
    w.ask("get_model_profile", 404, name="got", key=w.other_key, code="profile.not_found")


def case_put_model_profile(w):
    good = good_profile(w)
    w.refusals("put_model_profile", good, admin=True, name="put")
    bad_profile_bodies(w, "put_model_profile", good, name="put")
    made = w.ask("put_model_profile", 200, good, name="put")
    w.ask("put_model_profile", 200, good, name="put", headers={"If-Match": made.headers["etag"]})
    w.ask("put_model_profile", 412, good, name="put", headers={"If-Match": '"other"'},
          code="profile.changed")
    w.ask("put_model_profile", 422, good, name="-", code="profile.invalid")


def case_delete_model_profile(w):
    w.ask("put_model_profile", 200, good_profile(w), name="deleted")
    w.refusals("delete_model_profile", admin=True, name="deleted")
    w.ask("delete_model_profile", 412, name="deleted", headers={"If-Match": '"other"'},
          code="profile.changed")
    w.ask("delete_model_profile", 404, name="deleted", key=w.other_key, code="profile.not_found")
    w.ask("delete_model_profile", 204, name="deleted")
    w.ask("delete_model_profile", 404, name="deleted", code="profile.not_found")


def case_list_credentials(w):
    w.refusals("list_credentials", admin=True)
    assert w.ask("list_credentials", 200, key=w.other_key).json == {"credentials": []}


def case_put_credential(w):
    """Without auth.enc_key nothing is stored; storing is seen in w.sealed."""
    good = {"secret": "sk-something"}
    w.refusals("put_credential", good, admin=True, provider="p")
    w.bad_bodies("put_credential", good, provider="p")
    for bad in ({}, {"secret": ""}, {"secret": "a b"}, {"secret": "a\nb"}, {"secret": 1}):
        w.ask("put_credential", 422, bad, provider="p", code="request.invalid")
    w.ask("put_credential", 409, good, provider="p", code="secret.key_missing")
    made = w.sealed.ask("put_credential", 200, good, provider="p")
    assert "sk-something" not in made.text
    w.sealed.ask("put_credential", 422, good, provider="P", code="request.invalid")
    w.contract.answered["put_credential"].add(200)


def case_get_credential(w):
    w.refusals("get_credential", admin=True, provider="p")
    w.ask("get_credential", 404, provider="p", code="credential.not_found")
    w.sealed.ask("put_credential", 200, {"secret": "sk-something"}, provider="p")
    token = {"X-Internal-Token": "token"}
    assert "secret" not in w.sealed.ask("get_credential", 200, provider="p").json
    assert w.sealed.ask("get_credential", 200, provider="p", headers=token).json["secret"] == \
        "sk-something"
    w.sealed.node.stop()
    w.sealed.node.env["GATEWAY_ENC_KEY"] = "22" * 32
    w.sealed.node.start()
    w.sealed.ask("get_credential", 409, provider="p", headers=token, code="secret.key_wrong")
    w.contract.answered["get_credential"] |= {200, 409}


def case_delete_credential(w):
    w.refusals("delete_credential", admin=True, provider="p")
    w.ask("delete_credential", 404, provider="p", code="credential.not_found")
    w.sealed.ask("put_credential", 200, {"secret": "sk-something"}, provider="d")
    w.sealed.ask("delete_credential", 204, provider="d")
    w.contract.answered["delete_credential"].add(204)


def invoked(w, operation):
    good = {"messages": [{"role": "user", "content": "[[rehearsal words=2 delay_ms=0]]"}]}
    w.refusals(operation, good)
    unknown = w.ask(operation, 400, {**good, "api_key": "x"}, code="request.unknown_field")
    assert unknown.json["field"] == "/api_key", unknown.text
    plain(w, operation, good)
    for bad in ({}, {"messages": []}, {"messages": [{"role": "king", "content": "x"}]},
                {"messages": [{"role": "tool", "content": "x"}]},
                {**good, "overrides": {"temperature": 9}}):
        w.ask(operation, 422, bad, code="request.invalid")
    w.ask(operation, 404, {**good, "profile": "none"}, code="profile.not_found")
    w.ask("put_model_profile", 200, good_profile(w, enabled=False), name="disabled")
    w.ask(operation, 409, {**good, "profile": "disabled"}, code="profile.disabled")
    assert w.ask(operation, 200, good, key=w.user_key).text


def case_llm_invoke(w):
    invoked(w, "llm_invoke")


def case_llm_invoke_stream(w):
    invoked(w, "llm_invoke_stream")


def case_llm_test(w):
    w.refusals("llm_test", {}, admin=True)
    w.bad_bodies("llm_test", {})
    assert w.ask("llm_test", 200, {}).json["ok"]
    w.ask("llm_test", 422, {"profile": 1}, code="request.invalid")
    w.ask("llm_test", 404, {"profile": "none"}, code="profile.not_found")
    w.ask("put_model_profile", 200, good_profile(w, enabled=False), name="disabled")
    w.ask("llm_test", 409, {"profile": "disabled"}, code="profile.disabled")


def case_get_usage(w):
    w.refusals("get_usage")
    for query in ("", "?by=user", "?by=session", "?from=2026-01-01&to=2026-01-31"):
        w.ask("get_usage", 200, query=query)
    for query in ("?x=1", "?by=colour", "?from=soon", "?to=", "?from=", "?from=2026-01-02&to=2026-01-01",
                  "?from=2026-01-01&to=2026-12-31"):
        w.ask("get_usage", 400, query=query, code="request.invalid_parameter")


def openai(w, operation, good):
    """What all of OpenAI's routes with a body refuse, in its shape."""
    w.ask("put_model_profile", 200, good_profile(w, enabled=False), name="off")
    typed = {"Content-Type": "application/json"}
    for body, status, code, param in (
            (b"{", 400, "request.malformed_json", None), (b"[]", 400, "invalid_value", None),
            ({}, 400, "invalid_value", "model"), ({**good, "model": 7}, 400, "invalid_value", "model"),
            ({**good, "model": "off"}, 404, "model_not_found", "model"),
            ({**good, "model": "none"}, 404, "model_not_found", "model"),
            ({"model": "default"}, 400, "invalid_value", None)):
        error = openai_error(w, operation, status, body, headers=typed)
        assert error["code"] == code and param in (None, error["param"]), error
    for key in (None, "sk-nobody"):
        error = openai_error(w, operation, 401, good, key=key, source=next(w.addresses))
        assert error["code"] == "invalid_api_key", error
    error = openai_error(w, operation, 415, json.dumps(good), headers={"Content-Type": "text/plain"})
    assert error["code"] == "request.unsupported_media_type", error
    path = w.contract.path_of(operation)
    for method, where, status, code in (
            ("DELETE", path, 405, "request.method_not_allowed"),
            ("GET", path + "/none/at/all", 404, "unknown_url"),
            ("GET", "/v1/files", 404, "unknown_url"), ("GET", "/v1/threads/x", 404, "unknown_url")):
        got, headers, text = w.node.request(method, where)
        error = json.loads(text)["error"]
        assert (got, error["code"]) == (status, code), (method, where, got, text)
        assert headers["Content-Type"] == "application/json", headers


def openai_error(w, operation, status, body, **more):
    got, headers, text = w.node.request("POST", w.contract.path_of(operation), body, **more)
    assert got == status, (operation, got, text)
    assert headers["Content-Type"] == "application/json" and headers["X-Request-ID"], headers
    whole = json.loads(text)
    w.contract.validate(w.contract.document["components"]["schemas"]["openai_error"], whole, operation)
    assert whole["error"]["message"] and whole["error"]["type"], whole
    w.contract.answered.setdefault(operation, set()).add(status)
    return whole["error"]


def openai_asks(w, operation, good):
    openai(w, operation, good)
    told = w.ask(operation, 200, {**good, "base_url": "http://evil.example"})
    assert told.headers["x-gateway-model-lock-warning"]
    for bad in ({"stream": "yes"}, {"stream_options": 1}, {"stream_options": {"include_usage": 1}}):
        error = openai_error(w, operation, 400, {**good, **bad})
        assert error["code"] == "invalid_value" and error["param"].startswith("stream"), error


def case_openai_chat(w):
    good = {"model": "default",
            "messages": [{"role": "user", "content": "[[rehearsal words=2 delay_ms=0]]"}]}
    openai_asks(w, "openai_chat", good)
    assert w.ask("openai_chat", 200, good).json["choices"][0]["finish_reason"] == "stop"
    assert w.ask("openai_chat", 200, {**good, "stream": True}).text.endswith("data: [DONE]\n\n")
    for bad, param in (({"messages": []}, "messages"), ({"messages": "x"}, "messages"),
                       ({"messages": [1]}, "messages[0]"), ({"messages": [{}]}, "messages[0].role"),
                       ({"n": 0}, "n"), ({"n": 129}, "n"), ({"n": "x"}, "n")):
        assert openai_error(w, "openai_chat", 400, {**good, **bad})["param"] == param, bad


def case_openai_responses(w):
    good = {"model": "default", "input": "[[rehearsal words=2 delay_ms=0]]"}
    openai_asks(w, "openai_responses", good)
    whole = w.ask("openai_responses", 200, good).json
    assert whole["object"] == "response" and whole["status"] == "completed", whole
    assert whole["output"][0]["content"][0]["text"] and whole["store"] is False, whole
    assert "event: response.completed\n" in w.ask("openai_responses", 200,
                                                  {**good, "stream": True}).text
    for bad in ({"previous_response_id": "resp_1"}, {"background": True}, {"conversation": "c"},
                {"prompt": {"id": "p"}}, {"unheard_of": 1}):
        error = openai_error(w, "openai_responses", 400, {**good, **bad})
        assert (error["code"], error["param"]) == ("unsupported_parameter", list(bad)[0]), error


def case_openai_completions(w):
    good = {"model": "default", "prompt": "[[rehearsal words=2 delay_ms=0]]"}
    openai_asks(w, "openai_completions", good)
    whole = w.ask("openai_completions", 200, good).json
    assert whole["object"] == "text_completion" and whole["choices"][0]["text"], whole
    assert w.ask("openai_completions", 200, {**good, "stream": True}).text.endswith(
        "data: [DONE]\n\n")
    error = openai_error(w, "openai_completions", 400, {**good, "echo": True})
    assert (error["code"], error["param"]) == ("unsupported_parameter", "echo"), error


def case_openai_embeddings(w):
    good = {"model": "default", "input": "x"}
    openai(w, "openai_embeddings", good)
    for bad in ("", [], {}, None, 7):
        if bad != "":
            assert openai_error(w, "openai_embeddings", 400, {**good, "input": bad})["param"] == "input"
    # The rehearsal server has none; that they are relayed is seen in openai_face_test.py.
    w.contract.answered.setdefault("openai_embeddings", set()).add(200)


def case_openai_models(w):
    found = w.ask("openai_models", 200, key=w.user_key).json
    assert found["object"] == "list" and "default" in [m["id"] for m in found["data"]], found
    assert w.node.request("GET", "/v1/models", key=None, source=next(w.addresses))[0] == 401
    w.contract.answered.setdefault("openai_models", set()).add(401)


def case_openai_model(w):
    assert w.ask("openai_model", 200, key=w.user_key, model="default").json["id"] == "default"
    w.ask("put_model_profile", 200, good_profile(w, enabled=False), name="off")
    for name in ("none", "off"):
        got, _, text = w.node.request("GET", f"/v1/models/{name}")
        assert (got, json.loads(text)["error"]["code"]) == (404, "model_not_found"), text
    w.contract.answered.setdefault("openai_model", set()).add(404)


# ---- tools ----

def case_list_tools(w):
    w.refusals("list_tools")
    found = w.ask("list_tools", 200, key=w.user_key)
    ids = [t["id"] for t in found.json["tools"]]
    assert "calculator" in ids and ids == sorted(ids), ids
    assert re.fullmatch(r"private, max-age=\d+", found.headers["cache-control"]), found.headers
    w.ask("list_tools", 304, key=w.user_key, headers={"If-None-Match": found.headers["etag"]})


def case_get_tool_catalog(w):
    w.refusals("get_tool_catalog")
    found = w.ask("get_tool_catalog", 200)
    assert any(t["id"] == "code_execute" and t["limits"]["memory_bytes"] > 0
               for t in found.json["tools"]), found.text
    assert re.fullmatch(r"private, max-age=\d+", found.headers["cache-control"]), found.headers
    w.ask("get_tool_catalog", 304, headers={"If-None-Match": found.headers["etag"]})


def case_put_tool(w):
    good = {"enabled": True, "limits": {"timeout_ms": 5000}}
    w.refusals("put_tool", good, tool_id="echo")
    w.ask("put_tool", 403, good, tool_id="echo", key=w.user_key, code="policy.denied")
    w.bad_bodies("put_tool", good, tool_id="echo")
    w.ask("put_tool", 404, good, tool_id="none", code="tool.unknown")
    for bad in ({"enabled": "yes"}, {"limits": {"timeout_ms": 1}}, {"egress": [1]}):
        w.ask("put_tool", 422, bad, tool_id="echo", code="request.invalid")
    w.ask("put_tool", 422, {"egress": ["Not A Host"]}, tool_id="echo", code="tool.entry_invalid")
    w.ask("put_tool", 412, good, tool_id="echo", headers={"If-Match": '"other"'},
          code="tool.entry_changed")
    before = w.ask("get_tool_catalog", 200).headers["etag"]
    made = w.ask("put_tool", 200, good, tool_id="echo", headers={"If-Match": before})
    assert made.json["limits"]["timeout_ms"] == 5000
    after = w.ask("get_tool_catalog", 200)
    assert after.headers["etag"] == made.headers["etag"] != before
    # Another tenant's is as it was.
    theirs = w.ask("get_tool_catalog", 200, key=w.other_key).json["tools"]
    assert next(t for t in theirs if t["id"] == "echo")["limits"]["timeout_ms"] != 5000


def case_list_mcp_servers(w):
    w.refusals("list_mcp_servers", admin=True)
    w.ask("list_mcp_servers", 200)


def case_put_mcp_server(w):
    good = {"url": "http://127.0.0.1:1/mcp", "enable": ["one"], "timeout_ms": 5000}
    w.refusals("put_mcp_server", good, admin=True, name="away")
    w.bad_bodies("put_mcp_server", good, name="away")
    for bad in ({**good, "timeout_ms": 1}, {**good, "protocol": "1"}, {"url": 1}):
        w.ask("put_mcp_server", 422, bad, name="away", code="request.invalid")
    for bad in ({}, {"url": "ftp://x.example"}, {"command": "/usr/bin/true"},
                {**good, "command": "/usr/bin/true"}):
        w.ask("put_mcp_server", 422, bad, name="away", code="mcp_server.invalid")
    w.ask("put_mcp_server", 422, good, name="Away", code="mcp_server.invalid")
    # Without a key to encrypt under no token is taken.
    w.ask("put_mcp_server", 409, {**good, "token": "t"}, name="away", code="secret.key_missing")
    made = w.ask("put_mcp_server", 200, good, name="away")
    w.ask("put_mcp_server", 412, good, name="away", headers={"If-Match": '"other"'},
          code="mcp_server.changed")
    w.ask("put_mcp_server", 200, good, name="away", headers={"If-Match": made.headers["etag"]})
    names = [s["name"] for s in w.ask("list_mcp_servers", 200).json["servers"]]
    assert names == ["away"], names
    assert w.ask("list_mcp_servers", 200, key=w.other_key).json["servers"] == []


def case_delete_mcp_server(w):
    w.ask("put_mcp_server", 200, {"url": "http://127.0.0.1:1/mcp"}, name="gone")
    w.refusals("delete_mcp_server", admin=True, name="gone")
    w.ask("delete_mcp_server", 404, name="none", code="mcp_server.not_found")
    w.ask("delete_mcp_server", 404, name="gone", key=w.other_key, code="mcp_server.not_found")
    w.ask("delete_mcp_server", 412, name="gone", headers={"If-Match": '"other"'},
          code="mcp_server.changed")
    w.ask("delete_mcp_server", 204, name="gone")
    w.ask("delete_mcp_server", 404, name="gone", code="mcp_server.not_found")


def case_request_tool(w):
    session = w.session()
    good = {"session_id": session, "tool_id": "echo", "inputs": {"text": "again"}}
    w.refusals("request_tool", good)
    w.bad_bodies("request_tool", good)
    w.bad_key("request_tool", good)
    w.ask("request_tool", 404, {**good, "session_id": str(uuid.uuid4())}, code="session.not_found")
    w.ask("request_tool", 404, {**good, "tool_id": "none"}, code="tool.unknown")
    for bad in ({"session_id": session}, {**good, "inputs": []}, {**good, "session_id": "x"}):
        w.ask("request_tool", 422, bad, code="request.invalid")
    w.ask("request_tool", 422, {**good, "inputs": {}}, code="tool.invalid_inputs")
    w.ask("request_tool", 413, {**good, "tool_id": "file_write",
                                "inputs": {"path": "x", "text": "x" * 300_000}},
          code="event.too_large")
    key = {"Idempotency-Key": "one-tool-call"}
    made = w.ask("request_tool", 202, good, headers=key).json
    assert w.ask("request_tool", 202, good, headers=key).json == made
    w.ask("request_tool", 422, {**good, "inputs": {"text": "other"}}, headers=key,
          code="idempotency.mismatch")

    def result():
        return [e for e in w.node.events(session) if e["type"] == "tool.result"]
    wait_until(result, what="the tool's result")
    for each in w.node.events(session):
        judge_event(each)
    [end] = result()
    assert end["payload"]["tool_call_id"] == made["tool_call_id"], end
    assert end["payload"]["output"] == {"text": "again"}, end
    w.ask("put_tool", 200, {"enabled": False}, tool_id="echo")
    w.ask("request_tool", 409, good, code="tool.disabled")
    w.ask("put_tool", 200, {}, tool_id="echo")


# ---- identity ----

def case_list_keys(w):
    w.refusals("list_keys", admin=True)
    made = w.ask("create_key", 201, {"name": "listed"}).json
    listed = w.ask("list_keys", 200)
    assert made["key_id"] in [k["key_id"] for k in listed.json["keys"]]
    assert made["key"] not in listed.text
    assert made["key_id"] not in w.ask("list_keys", 200, key=w.other_key).text


def case_create_key(w):
    good = {"name": "made"}
    w.refusals("create_key", good, admin=True)
    w.bad_bodies("create_key", good)
    w.bad_key("create_key", good)
    made = w.ask("create_key", 201, {**good, "expires_at": "2999-01-01T00:00:00.5Z"}).json
    assert made["role"] == "user" and made["key"].startswith(made["prefix"])
    assert w.ask("whoami", 200, key=made["key"]).json["role"] == "user"
    for bad in ({}, {"name": ""}, {**good, "role": "root"},
                {**good, "expires_at": "2001-01-01T00:00:00Z"}, {**good, "expires_at": "soon"},
                {**good, "expires_at": "2999-13-41T00:00:00Z"}):
        w.ask("create_key", 422, bad, code="request.invalid")


def case_delete_key(w):
    made = w.ask("create_key", 201, {"name": "gone"}).json
    w.refusals("delete_key", admin=True, id=made["key_id"])
    w.ask("delete_key", 404, id=made["key_id"], key=w.other_key, code="key.not_found")
    w.ask("whoami", 200, key=made["key"])
    w.ask("delete_key", 204, id=made["key_id"])
    w.ask("whoami", 401, key=made["key"], code="auth.invalid", source=next(w.addresses))
    for gone in (made["key_id"], "no-id"):
        w.ask("delete_key", 404, id=gone, code="key.not_found")


def case_list_sign_ins(w):
    w.refusals("list_sign_ins")
    signed_in = w.ask("login", 200, {"key": w.user_key}, key=None)
    cookie = {"Cookie": signed_in.headers["set-cookie"].split(";")[0]}
    found = w.ask("list_sign_ins", 200, key=None, headers=cookie).json["sessions"]
    assert [s["current"] for s in found].count(True) == 1, found
    assert w.ask("list_sign_ins", 200, key=w.other_key).json["sessions"] == []


def case_close_sign_in(w):
    signed_in = w.ask("login", 200, {"key": w.user_key}, key=None)
    cookie = {"Cookie": signed_in.headers["set-cookie"].split(";")[0]}
    [mine] = [s["id"] for s in w.ask("list_sign_ins", 200, key=None, headers=cookie).json["sessions"]
              if s["current"]]
    w.refusals("close_sign_in", id=mine)
    w.ask("close_sign_in", 404, id=mine, code="sign_in.not_found")  # another's
    w.ask("close_sign_in", 204, id=mine, key=w.user_key)
    for gone in (mine, "no-id"):
        w.ask("close_sign_in", 404, id=gone, key=w.user_key, code="sign_in.not_found")
    w.ask("whoami", 401, key=None, headers=cookie, source=next(w.addresses))


def case_close_sign_ins(w):
    w.refusals("close_sign_ins")
    signed_in = w.ask("login", 200, {"key": w.user_key}, key=None)
    cookie = {"Cookie": signed_in.headers["set-cookie"].split(";")[0]}
    w.ask("close_sign_ins", 204, key=w.user_key)
    w.ask("close_sign_ins", 204, key=w.user_key)
    w.ask("whoami", 401, key=None, headers=cookie, source=next(w.addresses))


def case_list_users(w):
    w.refusals("list_users", admin=True)
    found = {u["user_id"]: u for u in w.ask("list_users", 200, query="?limit=200").json["users"]}
    assert found["admin"]["role"] == "admin" and found["somebody"]["role"] == "user", found
    assert found["somebody"]["keys"] >= 1 and not found["somebody"]["disabled"], found
    one = w.ask("list_users", 200, query="?limit=1").json
    assert len(one["users"]) == 1 and one["next_cursor"], one
    assert "somebody" not in [u["user_id"] for u in
                              w.ask("list_users", 200, key=w.other_key).json["users"]]
    for query, parameter in (("?limit=0", "limit"), ("?cursor=", "cursor"), ("?x=1", "x")):
        bad = w.ask("list_users", 400, query=query, code="request.invalid_parameter")
        assert bad.json["parameter"] == parameter, bad.text


def case_update_user(w):
    key = w.ask("create_key", 201, {"name": "theirs", "user_id": "one.user"}).json["key"]
    good = {"disabled": False}
    w.refusals("update_user", good, admin=True, user_id="one.user")
    w.bad_bodies("update_user", good, user_id="one.user")
    w.ask("whoami", 200, key=key)
    assert w.ask("update_user", 200, {"disabled": True}, user_id="one.user").json["disabled"]
    w.ask("whoami", 401, key=key, code="auth.invalid", source=next(w.addresses))
    found = w.ask("update_user", 200, {"disabled": False, "role": "user"}, user_id="one.user").json
    assert (found["user_id"], found["disabled"], found["role"]) == ("one.user", False, "user"), found
    w.ask("whoami", 200, key=key)
    for body in ({}, {"role": "root"}, {"disabled": "yes"}):
        w.ask("update_user", 422, body, code="request.invalid", user_id="one.user")
    w.ask("update_user", 422, {"disabled": True}, code="request.invalid", user_id="admin")
    w.ask("update_user", 404, good, code="user.not_found", user_id="no.user")
    w.ask("update_user", 404, good, code="user.not_found", user_id="one.user", key=w.other_key)


def case_login(w):
    good = {"key": w.user_key}
    w.refusals("login", good)
    w.bad_bodies("login", good)
    for bad in ({"key": "sk-nobody"}, {"token": "nothing"}):
        w.ask("login", 401, bad, key=None, code="auth.invalid", source=next(w.addresses))
    for bad in ({}, {"key": "a", "token": "b"}, {"key": ""}):
        w.ask("login", 422, bad, key=None, code="request.invalid")
    found = w.ask("login", 200, good, key=None)
    assert found.json["via"] == "cookie" and found.json["user_id"] == "somebody"
    cookie = {"Cookie": found.headers["set-cookie"].split(";")[0]}
    who = w.ask("whoami", 200, key=None, headers=cookie).json
    assert who["via"] == "cookie" and who["user_id"] == "somebody"


def case_logout(w):
    w.refusals("logout")
    w.ask("logout", 204, key=None)
    signed_in = w.ask("login", 200, {"key": w.user_key}, key=None)
    cookie = {"Cookie": signed_in.headers["set-cookie"].split(";")[0]}
    w.ask("logout", 204, key=None, headers=cookie)
    w.ask("whoami", 401, key=None, headers=cookie, source=next(w.addresses))
    w.provider.user = {"sub": "ann", "groups": ["staff"]}
    cookie, query = begun_by_provider(w)
    signed_in = w.ask("oidc_callback", 302, query=query, headers=cookie, key=None)
    cookie = {"Cookie": signed_in.headers["set-cookie"].split(";")[0]}
    found = w.ask("logout", 200, key=None, headers=cookie).json["end_session_url"]
    assert found.startswith(w.provider.issuer + "/end?"), found


def case_list_sign_in_methods(w):
    w.refusals("list_sign_in_methods")
    assert w.ask("list_sign_in_methods", 200, key=None).json == {"provider": {"name": "single sign-on"}}
    assert w.sealed.ask("list_sign_in_methods", 200, key=None).json == {"provider": None}


def begun_by_provider(w):
    """The cookie that keeps a sign-in, and what the browser is sent back with."""
    found = w.ask("oidc_start", 302, key=None)
    code, state = w.provider.authorize(found.headers["location"])
    cookie = found.headers["set-cookie"].split(";")[0]
    return {"Cookie": cookie}, f"?code={code}&state={state}"


def case_oidc_start(w):
    w.refusals("oidc_start")
    found = w.ask("oidc_start", 302, query="?return_to=/ui/index.html%23new", key=None)
    assert found.headers["location"].startswith(w.provider.issuer + "/auth?")
    for query, parameter in (("?return_to=https://evil.example", "return_to"), ("?return_to=", "return_to"),
                             ("?x=1", "x")):
        bad = w.ask("oidc_start", 400, query=query, key=None, code="request.invalid_parameter")
        assert bad.json["parameter"] == parameter, bad.text
    w.sealed.ask("oidc_start", 404, key=None, code="route.not_found")


def case_oidc_callback(w):
    w.refusals("oidc_callback")
    w.provider.user = {"sub": "ann", "groups": ["staff"]}
    cookie, query = begun_by_provider(w)
    w.ask("oidc_callback", 302, query=query, headers=cookie, key=None)
    w.ask("oidc_callback", 401, query=query, headers=cookie, key=None, code="auth.invalid",
          source=next(w.addresses))
    w.ask("oidc_callback", 401, key=None, code="auth.invalid", source=next(w.addresses))
    w.provider.user = {"sub": "eve"}
    cookie, query = begun_by_provider(w)
    w.ask("oidc_callback", 403, query=query, headers=cookie, key=None, code="auth.forbidden")


def case_oidc_logged_out(w):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    w.refusals("oidc_logged_out")
    token = "logout_token=" + w.provider.logout_token()
    w.ask("oidc_logged_out", 204, token, headers=form, key=None)
    for bad in (token, "logout_token=rubbish", "", "x=1"):
        found = w.ask("oidc_logged_out", 400, bad, headers=form, key=None, code="request.invalid_parameter")
        assert found.json["parameter"] == "logout_token", found.text
    w.ask("oidc_logged_out", 413, "x" * 5000, headers=form, key=None)
    w.ask("oidc_logged_out", 415, token, headers={"Content-Type": "text/plain"}, key=None)


def case_whoami(w):
    w.refusals("whoami")
    assert w.ask("whoami", 200).json["role"] == "admin"
    assert w.ask("whoami", 200, key=w.other_key).json["tenant_id"] == "other"


# ---- operations ----

def case_get_health(w):
    assert w.ask("get_health", 200, key=None).json.keys() == {"status", "version", "uptime_s"}
    components = w.ask("get_health", 200).json["components"]
    assert components["llm"]["status"] == "ok" and components["storage"]["status"] == "ok", components


def case_get_liveness(w):
    w.ask("get_liveness", 200, key=None)


def case_get_readiness(w):
    w.ask("get_readiness", 200, key=None)


def case_get_metrics(w):
    w.refusals("get_metrics", admin=True)
    assert "soma_http_requests_total{" in w.ask("get_metrics", 200).text
    sealed = w.sealed.ask
    sealed("get_metrics", 200, headers={"X-Internal-Token": "token"}, key=None)
    sealed("get_metrics", 401, headers={"X-Internal-Token": "another"}, key=None, code="auth.invalid")


def case_get_openapi(w):
    found = w.ask("get_openapi", 200, key=None)
    assert found.json == w.contract.document
    w.ask("get_openapi", 304, key=None, headers={"If-None-Match": found.headers["etag"]})


def case_get_ui(w):
    found = w.ask("get_ui", 200, path="index.html", key=None)
    policy = found.headers["content-security-policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy
    assert found.headers["x-content-type-options"] == "nosniff"
    w.ask("get_ui", 304, path="index.html", headers={"If-None-Match": found.headers["etag"]})
    for path in ("no/such.js", "%2e%2e%2fserver.key", ".git", "index.html/"):
        w.ask("get_ui", 404, path=path, code="route.not_found")
    w.ask("get_ui", 400, path="../secret", code="request.malformed")
    for path in ("/", "/ui", "/ui/"):
        status, headers, _ = w.node.request("GET", path, key=None)
        assert (status, headers["Location"]) == (302, "/ui/index.html")


# ---- beside the operations ----

def methods_and_paths(w):
    """a path's other methods are 405 with Allow, OPTIONS tells them, HEAD is GET without a body"""
    session = w.session()
    memory = w.ask("add_memory", 201, {"text": "A path has other methods"}).json["memory_id"]
    for path, item in w.contract.document["paths"].items():
        known = {m for m in ("get", "put", "post", "patch", "delete") if m in item}
        if not all(served(w, item[m]["operationId"]) for m in known):
            continue
        real = path.replace("{id}", memory if path.startswith("/v1/memories/") else session)
        real = real.replace("{path}", "index.html")
        real = real.replace("{name}", "default").replace("{model}", "default")
        allow = {m.upper() for m in known} | ({"HEAD"} if "get" in known else set()) | {"OPTIONS"}
        for method in {"get", "put", "post", "patch", "delete"} - known | {"trace"}:
            status, headers, text = w.node.request(method.upper(), real)
            found = json.loads(text)
            assert (status, found.get("error", found)["code"]) == (
                405, "request.method_not_allowed"), (method, real, status)
            assert set(headers["Allow"].split(", ")) == allow, (real, headers["Allow"])
        status, headers, text = w.node.request("OPTIONS", real, key=None)
        assert status == 204 and set(headers["Allow"].split(", ")) == allow and not text
        others = ("{provider}", "/attachments/", "/workdir/", "/dlq/", "/oidc/", "{seq}")
        if "get" in known and not any(p in path for p in others):
            query = "?q=anything" if path == "/v1/memories/search" else ""
            status, headers, text = w.node.request("HEAD", real + query)
            assert status == 200 and not text, (real, status)
    for path in ("/nowhere", "/v1", "/v1//sessions", "/V1/sessions", "/v1/session/@me/message/x",
                 "/metrics/"):
        for method in ("GET", "DELETE"):
            status, _, text = w.node.request(method, path)
            assert (status, json.loads(text)["code"]) == (404, "route.not_found"), path


def events_of_every_kind(w):
    """answers that fail, restart and stop leave only events that the schema knows"""
    cut = w.session("[[rehearsal words=30 delay_ms=0 fault=cut fault_at=40 fault_times=1]]")
    broken = w.node.say("[[rehearsal status=401]]")["session_id"]
    wait_until(lambda: any(e["type"] == "error" for e in w.node.events(broken)), 20, "the error")
    kinds = set()
    for session in (cut, broken):
        for each in w.node.events(session):
            judge_event(each)
            kinds.add(each["type"])
    assert {"llm.restart", "error", "llm.complete", "llm.delta", "session.open"} <= kinds, kinds


def ids_go_through(w):
    """X-Request-ID, traceparent, caller and idempotency key stand in the events they caused"""
    trace = uuid.uuid4().hex
    status, headers, text = w.node.request(
        "POST", "/v1/session/message", {"message": "[[rehearsal words=1 delay_ms=0]]"},
        {"X-Request-ID": "my-id-1", "traceparent": f"00-{trace}-{trace[:16]}-01",
         "Idempotency-Key": "my key 1"}, w.user_key)
    assert (status, headers["X-Request-ID"]) == (202, "my-id-1")
    accepted = json.loads(text)
    w.finished(accepted)
    for event in w.node.events(accepted["session_id"]):
        meta = event["meta"]
        assert meta["request_id"] == "my-id-1" and meta["trace_id"] == trace, event
        assert (meta["user_id"], meta["tenant_id"]) == ("somebody", "default")
        if event["type"] == "message.user":
            assert meta["idempotency_key"] == "my key 1"
    _, headers, _ = w.node.request("GET", "/healthz", headers={"X-Request-ID": "<script>"})
    assert uuid.UUID(headers["X-Request-ID"])


def every_status_is_provoked(w):
    """every status the document lists for an operation was seen in one of its cases"""
    missing = []
    for operation, (_, _, spec) in w.contract.operations.items():
        wanted = {int(s) for s in spec["responses"] if s != "default"} & PROVOKED_HERE
        missing += [f"{operation} {status}"
                    for status in sorted(wanted - w.contract.answered.get(operation, set()))
                    if (operation, status) not in NOT_PROVOKED and served(w, operation)]
    assert not missing, missing


def served(w, operation):
    """False while a route is documented and not there yet."""
    method, path, _ = w.contract.operations[operation]
    path = path.replace("{id}", str(uuid.uuid4())).replace("{path}", "index.html")
    path = path.replace("{user_id}", "somebody")
    allow = w.node.request("OPTIONS", path)[1].get("Allow", "")
    return method.upper() in allow.split(", ")


def main():
    world = World()

    def test_of(operation):
        def run():
            case = globals().get("case_" + operation)
            assert case, f"the operation {operation} has no case in this test"
            case(world)
        run.__doc__ = f"{operation}: every answer is as documented"
        return run

    def whole(check):
        def run():
            check(world)
        run.__doc__ = check.__doc__
        return run

    tests = []
    for operation in world.contract.operations:
        if served(world, operation):
            tests.append(test_of(operation))
        else:
            print(f"not served yet: {operation}", flush=True)
    tests += [whole(check) for check in (methods_and_paths, events_of_every_kind, ids_go_through,
                                         every_status_is_provoked)]
    try:
        return run_tests(tests)
    finally:
        world.stop()


if __name__ == "__main__":
    sys.exit(main())
