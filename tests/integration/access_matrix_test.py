"""Every operation of the table × everybody whom it is not for: {no identity, an unknown key, a disabled
user's key and cookie, a revoked key, an expired key and cookie, an admin of another tenant, another user
of the tenant}. None is let in where he may not, nobody is told a word or an id of what is another's, and
afterwards all is as it was. What each may is read from the table, so that an operation that is new is
asked, too; one that names something which nobody planted here fails the test until it is."""

import datetime
import itertools
import json
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from forms import FORM, form, upload
from node_under_test import ADMIN_KEY, Node, Rehearsal, run_tests, wait_until
from operations_table_test import BODIES, INTERNAL, TABLE, WITH_TOKEN
from stream_client import Stream

QUICK = "[[rehearsal words=3 delay_ms=0]]"
MARK = "planted" + uuid.uuid4().hex[:12]  # in whatever is ann's or the tenant's
rehearsal = node = ids = None
# Failures are counted by address.
addresses = (f"127.1.{n // 250 % 250 + 1}.{n % 250 + 1}" for n in itertools.count())

# Operations that every user has by the table, and that policy leaves to admins.
BY_POLICY = {"put_tool"}
# Of the whole node, so for admins of the operator's tenant alone.
OF_THE_NODE = {"begin_backup", "list_backups", "get_cluster", "drain_node", "undrain_node"}
# Whoever asks does it to what is his tenant's own, or to himself: another tenant has a profile, a provider and
# an ann of that name, too.
ONES_OWN = {"close_sign_in", "put_model_profile", "delete_model_profile", "get_model_profile",
            "create_model_profile", "get_credential", "put_credential", "delete_credential", "put_mcp_server", "delete_mcp_server",
            "put_tool", "openai_model", "update_user"}


class Nobody:
    """How somebody comes: with a key, with a cookie, or with nothing."""

    def __init__(self, key=None, cookie=None):
        self.key, self.cookie = key, cookie

    def ask(self, method, path, body=None, headers=None):
        more = {**({"Cookie": self.cookie} if self.cookie else {}), **(headers or {})}
        status, _, text = node.request(method, path, body, more, self.key, source=next(addresses))
        return status, text

    def begin(self, path):
        """(status, the first words) of a stream that does not end."""
        stream = Stream(node, path, {"Cookie": self.cookie} if self.cookie else None, self.key,
                        source=next(addresses))
        with stream:
            if stream.status != 200:
                return stream.status, stream.body
            return 200, json.dumps(stream.next(seconds=2) if "text/event-stream" in
                                   stream.headers.get("content-type", "") else "")


ann = Nobody()


def key_of(user, **more):
    return node.json("POST", "/v1/keys", {"name": user, "user_id": user, **more}, expect=201)


def sign_in(key):
    status, fields, text = node.request("POST", "/v1/auth/login", {"key": key}, key=None)
    assert status == 200, text
    return fields["Set-Cookie"].split(";")[0]


def planted():
    """What is ann's and the tenant's, of every kind that an operation names; the ids by its parameter."""
    ann.key = key_of("ann")["key"]

    def made(method, path, body, headers=None, expect=(200, 201, 202)):
        status, text = ann.ask(method, path, body, headers)
        assert status in expect, (path, status, text)
        return json.loads(text) if text else None
    session = made("POST", "/v1/sessions", {"title": "title " + MARK})["session_id"]
    said = made("POST", "/v1/session/message", {"message": f"The harbour {MARK} is blue {QUICK}",
                                                "session_id": session})
    wait_until(lambda: not made("GET", f"/v1/sessions/{session}", None)["busy"], what="the answer")
    made("PUT", f"/v1/workdir/write?session_id={session}&path=a", (MARK + " file").encode())
    attachment = upload(node, ("harbour.txt", f"The harbour {MARK} file is red".encode()), key=ann.key)[0]["id"]
    imported, text = ann.ask("POST", "/v1/memory/import", {"attachment_id": attachment})
    assert imported in (200, 201), text
    note = made("POST", "/v1/memories", {"text": f"The harbour {MARK} note"})["memory_id"]
    wait_until(lambda: made("GET", "/v1/memories/search?q=harbour", None)["memories"], what="the index")
    hers = sign_in(ann.key)
    signed_in = json.loads(node.request("GET", "/v1/auth/sessions", key=None, headers={"Cookie": hers})[2])
    key = key_of("ann", name="spare " + MARK)["key_id"]
    profile = {"name": "spare", "model": MARK, "base_url": "http://127.0.0.1:1/v1"}
    node.json("POST", "/v1/model-profiles", profile, expect=201)
    node.json("PUT", "/v1/llm/credentials/openai", {"secret": "sk-" + MARK})
    node.json("PUT", "/v1/mcp-servers/spare", {"url": f"http://127.0.0.1:1/{MARK}", "token": MARK})
    seq = json.loads(node.request("GET", "/v1/admin/audit?limit=1")[2])["records"][0]["seq"]
    ids = {"session": session, "attachment": attachment, "memory": note, "key": key,
           "sign_in": signed_in["sessions"][0]["id"], "message": said["message_id"], "seq": str(seq),
           "dead_letter": str(uuid.uuid4()), "user": "ann", "name": "spare", "provider": "openai",
           "tool_id": "echo", "model": "spare"}
    return ids


# Of an operation that says `path:id`, or none, what the id is one of.
NAMED = {"close_sign_in": "sign_in", "delete_key": "key", "get_memory": "memory", "update_memory": "memory",
         "delete_memory": "memory", "list_memory_uses": "memory", "get_dead_letter": "dead_letter",
         "requeue_dead_letter": "dead_letter", "delete_dead_letter": "dead_letter", "get_attachment": "attachment",
         "delete_attachment": "attachment", "get_attachment_internal": "attachment"}
OTHERS = {"{name}": "name", "{provider}": "provider", "{tool_id}": "tool_id", "{user_id}": "user", "{model}": "model",
          "{attachment_id}": "attachment", "{seq}": "seq"}
MORE = {"search_memories": "?q=harbour", "get_usage": "?by=session", "export_audit": "?what=*",
        "read_memory_log": "?log=other-site"}


def names_a_session(one):
    return one["resource"].endswith(":session_id") or (
        one["resource"] == "path:id" and one["action"].startswith("conversation."))


def request_of(one):
    path, operation = one["path"], one["operation"]
    if "{id}" in path:
        kind = "session" if names_a_session(one) else NAMED.get(operation)
        assert kind, f"{operation} names something: plant it here, so that it is asked by those who may not"
        path = path.replace("{id}", ids[kind])
    for name, kind in OTHERS.items():
        path = path.replace(name, ids[kind])
    assert "{" not in path, f"{operation}: what {path} names is not planted here"
    if one["resource"].startswith("query:"):
        path += f"?session_id={ids['session']}&path=a"
    path += MORE.get(operation, "")
    body, headers = BODIES.get(operation), {}
    if body is not None:
        body = json.loads(json.dumps(body))
        for member, kind in (("session_id", "session"), ("attachment_id", "attachment"), ("message_id", "message")):
            if member in body:
                body[member] = ids[kind]
        if operation == "recall_memory":
            body = {"query": "which harbour"}
        if operation == "update_settings" or operation == "update_settings_post":
            body = {"egress": {"pii": "off"}}
    elif one["body"] == "json":
        body = {"model": "m", "messages": [], "input": "x", "prompt": "x"}  # as OpenAI's clients
    if one["body"] == "stream":
        body, headers = b"x", {"Content-Type": "application/octet-stream"}
        if operation.startswith("upload"):
            body, headers = form(("a.txt", b"x")), FORM
        if operation == "import_session":
            headers = {"Content-Type": "application/x-ndjson"}
    return one["method"], path, body, headers


def asked(person, one):
    method, path, body, headers = request_of(one)
    if one["answer"] == "stream" and method == "GET":
        return person.begin(path)
    return person.ask(method, path, body, headers)


def as_it_was():
    """All of the tenant that somebody could have changed."""
    def text(path):
        status, _, said = node.request("GET", path)
        assert status == 200, (path, status, said)
        return said
    everything = {path: text(path) for path in (
        f"/v1/sessions/{ids['session']}", f"/v1/sessions/{ids['session']}/events?limit=500",
        f"/v1/workdir/list?session_id={ids['session']}", "/v1/attachments/" + ids["attachment"],
        "/v1/memories/" + ids["memory"], "/v1/model-profiles", "/v1/llm/credentials", "/v1/mcp-servers",
        "/v1/tool-catalog", "/v1/settings", "/v1/admin/dlq")}
    keys = json.loads(text("/v1/keys"))["keys"]
    users = json.loads(text("/v1/users?limit=200"))["users"]
    everything["keys"] = {k["key_id"]: (k["role"], k.get("user_id")) for k in keys}
    everything["users"] = {u["user_id"]: (u["role"], u["disabled"]) for u in users}
    return everything


def secrets_of():
    return [MARK, *(ids[kind] for kind in ("session", "attachment", "memory", "key", "sign_in", "message"))]


def tells_nothing(text, path, about):
    if about[0] in ("list_audit", "export_audit", "get_audit_record") and '"hash"' in text:
        # Records of what he asked himself name what he asked for: his own are all that there may be.
        lines = json.loads(text)["records"] if about[0] == "list_audit" else [json.loads(l) for l in text.splitlines()]
        assert {one["who"]["tenant_id"] for one in lines} == {"other"} and MARK not in text, (about, text[:500])
        return
    for secret in secrets_of():
        # What he brought himself he may be told again, as part of what is not there.
        assert secret not in text or secret in path, (about, secret, text[:500])


def outsiders():
    """Who may not come in at all. Each could, and saw the session, before."""
    disabled, revoked = key_of("disabled"), key_of("revoked")
    soon = datetime.datetime.utcnow() + datetime.timedelta(seconds=8)
    dying = key_of("dying", expires_at=soon.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    cookies = {name: sign_in(key["key"]) for name, key in (("disabled", disabled), ("dying", dying),
                                                            ("revoked", revoked))}
    out = node.request("POST", "/v1/auth/login", {"key": revoked["key"]}, key=None)[1]["Set-Cookie"].split(";")[0]
    assert node.request("POST", "/v1/auth/logout", key=None, headers={"Cookie": out})[0] == 204
    node.json("PATCH", f"/v1/sessions/{ids['session']}", {"visibility": "tenant"}, expect=200)
    assert Nobody(disabled["key"]).ask("GET", f"/v1/sessions/{ids['session']}")[0] == 200
    node.json("PATCH", f"/v1/sessions/{ids['session']}", {"visibility": "private"}, expect=200)
    node.json("PATCH", "/v1/users/disabled", {"disabled": True}, expect=200)
    assert node.request("DELETE", "/v1/keys/" + revoked["key_id"])[0] == 204
    wait_until(lambda: Nobody(cookie=cookies["dying"]).ask("GET", "/v1/auth/whoami")[0] == 401, what="the key's end")
    return {
        "no identity": Nobody(), "an unknown key": Nobody("sk-" + uuid.uuid4().hex),
        "a disabled user's key": Nobody(disabled["key"]), "a disabled user's cookie": Nobody(cookie=cookies["disabled"]),
        "a revoked key": Nobody(revoked["key"]), "a revoked key's cookie": Nobody(cookie=cookies["revoked"]),
        "an expired key": Nobody(dying["key"]), "an expired cookie": Nobody(cookie=cookies["dying"]),
        "a cookie that was signed out": Nobody(cookie=out),
    }


def nobody_comes_in():
    """who may not come in at all: 401 of every operation that is not for everybody, and not a word"""
    before_all = outsiders()
    before = as_it_was()
    count = 0
    for one in TABLE:
        for who, person in before_all.items():
            about = one["operation"], who
            status, text = asked(person, one)
            path = request_of(one)[1]
            tells_nothing(text, path, about)
            count += 1
            if one["access"] == "internal":
                assert status in (401, 403), (about, status, text)
            elif one["access"] in ("anyone", "optional"):
                assert status < 500, (about, status, text)
            else:
                assert status == 401, (about, status, text)
    assert count == len(TABLE) * len(before_all) and count > 900, count
    assert as_it_was() == before


def others_are_told_nothing():
    """another user, by key and by cookie, and an admin of another tenant: nothing of hers, nothing of admins"""
    bob = key_of("bob")["key"]
    people = {"another user": Nobody(bob), "another user's cookie": Nobody(cookie=sign_in(bob)),
              "an admin of another tenant": Nobody(OTHER_TENANT)}
    before = as_it_was()
    count = 0
    for one in TABLE:
        if one["operation"] in ("logout", "close_sign_ins"):  # of oneself: whoever asks is out afterwards
            continue
        named = {"{id}", *OTHERS} & {part for part in one["path"].split("/") if part.startswith("{")}
        names = bool(named) or names_a_session(one) or one["operation"] == "import_document"
        for who, person in people.items():
            about = one["operation"], who
            status, text = asked(person, one)
            path = request_of(one)[1]
            tells_nothing(text, path, about)
            assert status != 500, (about, status, text)
            count += 1
            is_admin = person.key == OTHER_TENANT
            if one["access"] == "internal":
                assert status in (401, 403), (about, status, text)
            elif one["access"] in ("admin", "operation") and not is_admin or (
                    one["operation"] in BY_POLICY and not is_admin):
                assert status == 403, (about, status, text)
            elif one["operation"] in OF_THE_NODE:
                assert status == 403, (about, status, text)
            elif names and one["operation"] not in ONES_OWN:
                assert status == 404, (about, status, text)
    assert count > 300, count
    assert as_it_was() == before


def internal_is_for_nodes():
    """internal routes: no key opens them, and their token opens nothing else"""
    for one in TABLE:
        method, path, body, headers = request_of(one)
        if one["access"] == "internal":
            for person in (ann, Nobody(ADMIN_KEY), Nobody(cookie=sign_in(ADMIN_KEY))):
                status, text = person.ask(method, path, body, headers)
                assert status in (401, 403), (one["operation"], status, text)
            for wrong in ({"X-Internal-Token": "wrong-token-0123456789"}, {"X-Internal-Token": ""}):
                status, text = Nobody().ask(method, path, body, {**headers, **INTERNAL, **wrong})
                assert status in (401, 403), (one["operation"], status, text)
            status, text = Nobody().ask(method, path, body, {**headers, **INTERNAL, "X-Tenant-ID": "other"})
            assert status == 404, (one["operation"], status, text)
        elif one["access"] not in ("anyone", "optional", "operation") and not (one["answer"] == "stream" and method == "GET"):
            status, text = Nobody().ask(method, path, body, {**headers, **INTERNAL})
            assert status == 401, (one["operation"], status, text)


if __name__ == "__main__":
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url, env={**WITH_TOKEN, "GATEWAY_ENC_KEY": "11" * 32})
    OTHER_TENANT = node.new_key("--tenant", "other", "--role", "admin", "--user", "ann")
    node.start()
    try:
        ids = planted()
        failed = run_tests([nobody_comes_in, others_are_told_nothing, internal_is_for_nodes])
    finally:
        node.stop()
        rehearsal.stop()
    sys.exit(failed)
