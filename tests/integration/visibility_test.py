"""Who sees what: every operation of the table that names a session, asked by everybody who may not,
and by everybody who may; lists, streams, memories, files and usage that follow their session."""

import datetime
import itertools
import json
import os
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from forms import FORM, form, upload
from node_under_test import ADMIN_KEY, Node, Rehearsal, run_tests, wait_until
from operations_table_test import BODIES, SOMEBODY, TABLE
from stream_client import Stream

QUICK = "[[rehearsal words=3 delay_ms=0]]"
rehearsal = node = None
addresses = (f"127.0.{n // 250 % 250 + 1}.{n % 250 + 1}" for n in itertools.count())


class Person:
    """Somebody with a key, and with a way to ask."""

    def __init__(self, key=None, cookie=None):
        self.key, self.cookie = key, cookie

    def ask(self, method, path, body=None, headers=None):
        more = {**({"Cookie": self.cookie} if self.cookie else {}), **(headers or {})}
        # Failures are counted by address.
        status, fields, text = node.request(method, path, body, more, self.key,
                                            source=next(addresses))
        return status, text

    def json(self, method, path, body=None, expect=200):
        status, text = self.ask(method, path, body)
        assert status == expect, (method, path, status, text)
        return json.loads(text) if text else None

    def stream(self, path):
        return Stream(node, path, {"Cookie": self.cookie} if self.cookie else None, self.key)

    def say(self, text, session=None, **more):
        body = {"message": text, **({"session_id": session} if session else {}), **more}
        said = self.json("POST", "/v1/session/message", body, 202)
        session = said["session_id"]
        wait_until(lambda: not self.json("GET", f"/v1/sessions/{session}")["busy"], what="the answer")
        return said

    def upload(self, text, name="file.txt"):
        return upload(node, (name, text.encode()), key=self.key)[0]["id"]

    def sessions(self):
        found, cursor = [], ""
        while cursor is not None:
            page = self.json("GET", "/v1/sessions?limit=3" + cursor)
            found += [s["session_id"] for s in page["sessions"]]
            cursor = page["next_cursor"] and "&cursor=" + page["next_cursor"]
        return found


def key_of(user, **more):
    return node.json("POST", "/v1/keys", {"name": user, "user_id": user, **more}, expect=201)


def sign_in(key):
    status, fields, text = node.request("POST", "/v1/auth/login", {"key": key}, key=None)
    assert status == 200, text
    return fields["Set-Cookie"].split(";")[0]


def share(person, session, expect=200, **how):
    return person.json("PATCH", f"/v1/sessions/{session}", how, expect)


class People:
    def __init__(self):
        self.admin = Person(ADMIN_KEY)
        self.ann, self.bob, self.carl = (Person(key_of(u)["key"]) for u in ("ann", "bob", "carl"))
        self.stranger = Person(OTHER_TENANT)


def names_a_session(one):
    return one["resource"].endswith(":session_id") or (
        one["resource"] == "path:id" and one["action"].startswith("conversation."))


def filled(one, session):
    """The request of an operation, about that session."""
    path = one["path"].replace("{id}", session)
    if one["resource"].startswith("query:"):
        path += f"?session_id={session}&path=a"
    body = BODIES.get(one["operation"])
    if body is not None:
        body = json.loads(json.dumps(body).replace(SOMEBODY, session))
        if one["resource"] == "body:session_id":
            body["session_id"] = session
    headers = {}
    if one["body"] == "stream":
        body, headers = b"x", {"Content-Type": "application/octet-stream"}
        if one["operation"].startswith("upload"):
            body, headers = form(("a.txt", b"x")), FORM
    return one["method"], path, body, headers


def ask(person, one, session):
    """(status, the answer without what names the request)"""
    method, path, body, headers = filled(one, session)
    if one["answer"] == "stream":
        with person.stream(path) as stream:
            if stream.status == 200:
                return 200, ""
            status, text = stream.status, stream.body
    else:
        status, text = person.ask(method, path, body, headers)
    if status < 400:
        return status, text
    told = json.loads(text)
    told.pop("request_id")
    return status, json.dumps(told)


def nobodies(people):
    """Those who may not come in at all: what each brings."""
    disabled, revoked = key_of("disabled"), key_of("revoked")
    soon = datetime.datetime.utcnow() + datetime.timedelta(seconds=8)
    dying = key_of("dying", expires_at=soon.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    cookies = {"disabled": sign_in(disabled["key"]), "dying": sign_in(dying["key"])}
    session = people.ann.say("planted " + QUICK)["session_id"]
    # Each of them saw it.
    share(people.ann, session, visibility="tenant")
    assert Person(disabled["key"]).ask("GET", f"/v1/sessions/{session}")[0] == 200
    node.json("PATCH", "/v1/users/disabled", {"disabled": True}, expect=200)
    node.request("DELETE", "/v1/keys/" + revoked["key_id"])
    wait_until(lambda: Person(cookie=cookies["dying"]).ask("GET", "/v1/auth/whoami")[0] == 401)
    return session, {
        "no identity": Person(), "disabled user's key": Person(disabled["key"]),
        "disabled user's cookie": Person(cookie=cookies["disabled"]),
        "revoked key": Person(revoked["key"]), "expired cookie": Person(cookie=cookies["dying"]),
        "expired key": Person(dying["key"]),
    }


def matrix():
    """every operation that names a session × everybody who may not: none is done, none tells"""
    people = People()
    session, outside = nobodies(people)
    private = people.ann.say("planted-secret " + QUICK)["session_id"]
    before = people.admin.json("GET", f"/v1/sessions/{private}/events?limit=500")
    asked = 0
    for one in TABLE:
        if not names_a_session(one):
            continue
        for who, person in outside.items():
            status, text = ask(person, one, session)
            assert status == 401, (one["operation"], who, status, text)
            asked += 1
        missing = str(uuid.uuid4())
        for who, person in (("other tenant", people.stranger), ("other user", people.bob)):
            status, text = ask(person, one, private)
            nothing = ask(person, one, missing)
            assert status == 404 and (status, text) == nothing, (one["operation"], who, status, text,
                                                                 nothing)
            assert "session.not_found" in text and private not in text, text
            asked += 1
    for one in TABLE:
        if one["access"] not in ("admin", "operation"):
            continue
        path = one["path"]
        for name in ("id", "name", "provider", "tool_id", "user_id"):
            path = path.replace("{" + name + "}", SOMEBODY)
        for person in (people.ann, Person(cookie=sign_in(people.ann.key))):
            status, text = person.ask(one["method"], path, BODIES.get(one["operation"], {}))
            assert status == 403, (one["operation"], status, text)
            asked += 1
        for who, person in outside.items():
            status, text = person.ask(one["method"], path, BODIES.get(one["operation"], {}))
            assert status == 401, (one["operation"], who, status, text)
            asked += 1
    assert asked > 300, asked
    assert people.admin.json("GET", f"/v1/sessions/{private}/events?limit=500") == before


def those_who_may():
    """whom it is shared with, all of the tenant where it is open, and admins come through"""
    people = People()
    for one in TABLE:
        if not names_a_session(one):
            continue
        session = people.ann.say(QUICK)["session_id"]
        for person, how in ((people.bob, {"shared_with": ["bob"]}),
                            (people.carl, {"visibility": "tenant", "shared_with": []}),
                            (people.admin, {"visibility": "private"}), (people.ann, {})):
            if how:
                share(people.ann, session, **how)
            status, text = ask(person, one, session)
            about = (one["operation"], how, status, text)
            if one["action"] in ("conversation.delete",) and person in (people.bob, people.carl):
                assert status == 403 and json.loads(text)["rule"] == "owner", about
                continue
            assert status not in (401, 403, 500), about
            assert "session.not_found" not in text, about
            if one["operation"] == "delete_session":
                break


def sharing():
    """only the owner and admins share; what was changed is kept over a kill, and shown"""
    people = People()
    session = people.ann.say(QUICK)["session_id"]
    fresh = people.ann.json("GET", f"/v1/sessions/{session}")
    assert (fresh["owner"], fresh["visibility"], fresh["shared_with"]) == ("ann", "private", []), fresh
    shared = share(people.ann, session, shared_with=["carl", "bob", "bob", "ann"], title="Ours")
    assert (shared["shared_with"], shared["title"]) == (["bob", "carl"], "Ours"), shared
    event = people.ann.json("GET", f"/v1/sessions/{session}/events?limit=500")["events"][-1]
    assert event["type"] == "session.state" and event["payload"]["shared_with"] == ["bob", "carl"]
    for how in ({"visibility": "tenant"}, {"shared_with": []}, {"shared_with": ["bob"], "title": "x"}):
        denied = share(people.bob, session, 403, **how)
        assert denied["code"] == "policy.denied" and denied["rule"] == "owner", denied
    assert share(people.bob, session, title="Bob's name for it")["title"] == "Bob's name for it"
    share(people.ann, session, 422, shared_with=[""])
    share(people.ann, session, 422, shared_with=["a\nb"])
    share(people.ann, session, 422, shared_with=[f"u{n}" for n in range(101)])
    node.kill()
    node.start()
    assert people.bob.json("GET", f"/v1/sessions/{session}")["shared_with"] == ["bob", "carl"]
    # A reset empties the session and leaves it to those who see it; a fork is its maker's alone.
    fork = people.bob.json("POST", f"/v1/sessions/{session}/fork", {"event_id": event["meta"]["event_id"]},
                           201)
    assert (fork["owner"], fork["shared_with"]) == ("bob", []), fork
    assert people.ann.ask("GET", "/v1/sessions/" + fork["session_id"])[0] == 404
    people.ann.json("POST", f"/v1/sessions/{session}/reset")
    node.kill()
    node.start()
    assert people.bob.json("GET", f"/v1/sessions/{session}")["shared_with"] == ["bob", "carl"]
    assert share(people.admin, session, shared_with=[])["shared_with"] == []
    assert people.bob.ask("GET", f"/v1/sessions/{session}")[0] == 404


def lists():
    """a user's list has what he may see, each once, in whatever pages"""
    people = People()
    mine, open_to_all, hidden = [], [], []
    for n in range(5):
        mine.append(people.ann.json("POST", "/v1/sessions", {"title": f"mine {n}"}, 201)["session_id"])
        hidden.append(people.bob.json("POST", "/v1/sessions", {"title": f"not hers {n}"}, 201)["session_id"])
        open_to_all.append(people.bob.json("POST", "/v1/sessions", {"title": f"open {n}"}, 201)["session_id"])
        share(people.bob, open_to_all[-1], visibility="tenant")
    found = people.ann.sessions()
    assert len(found) == len(set(found)) and set(mine + open_to_all) <= set(found)
    assert not set(hidden) & set(found)
    assert set(hidden) <= set(people.admin.sessions())
    text = people.ann.ask("GET", "/v1/sessions?q=not+hers&limit=1")[1]
    assert json.loads(text) == {"sessions": [], "next_cursor": None}, text


def session_lists(stream, seen=None):
    """Takes what comes on an own stream into a dict of sessions."""
    seen = {} if seen is None else seen
    block = stream.next_event()
    assert block["event"] == "session.list", block
    told = block["data"]["payload"]
    for one in told.get("sessions", []) + ([told["session"]] if "session" in told else []):
        seen[one["session_id"]] = one
    if told.get("deleted"):
        seen.pop(told["session_id"], None)
    return told, seen


def own_stream():
    """an own stream tells of what its user may see, of when he may, and of nothing else"""
    people = People()
    session = people.ann.json("POST", "/v1/sessions", {"title": "unseen-title"}, 201)["session_id"]
    with people.bob.stream("/v1/session/@me/events") as stream:
        _, seen = session_lists(stream)
        assert session not in seen
        assert "unseen-title" not in json.dumps(seen)
        people.ann.json("PATCH", f"/v1/sessions/{session}", {"title": "still planted"})
        share(people.ann, session, shared_with=["bob"])
        told, _ = session_lists(stream)
        assert told["session"]["session_id"] == session, told  # and not a word before
        people.ann.json("PATCH", f"/v1/sessions/{session}", {"title": "theirs"})
        assert session_lists(stream)[0]["session"]["title"] == "theirs"
        share(people.ann, session, shared_with=[])
        assert session_lists(stream)[0] == {"session_id": session, "deleted": True}
        people.ann.json("PATCH", f"/v1/sessions/{session}", {"title": "planted again"})
        share(people.ann, session, visibility="tenant")
        assert session_lists(stream)[0]["session"]["title"] == "planted again"
        people.admin.ask("DELETE", f"/v1/sessions/{session}")
        assert session_lists(stream)[0] == {"session_id": session, "deleted": True}


def gone_within(stream, seconds=1.0):
    begin = time.monotonic()
    while stream.next(seconds=5) is not None:
        pass
    took = time.monotonic() - begin
    if took < seconds:
        return
    # A machine that takes long for a bare request is given as much more.
    begin = time.monotonic()
    for _ in range(5):
        node.request("GET", "/healthz", key=None)
    assert took < seconds + 4 * (time.monotonic() - begin), took


def streams_end():
    """who loses the sight of a session loses its streams within a second, ticket or not"""
    people = People()
    session = people.ann.say(QUICK)["session_id"]
    share(people.ann, session, shared_with=["bob", "carl"])
    ticket = people.bob.json("POST", f"/v1/sessions/{session}/ticket", expect=201)["url"]
    path = f"/v1/session/{session}/events?after=end"
    with people.bob.stream(path) as bobs, people.carl.stream(path) as carls, \
            people.admin.stream(path) as admins, Person().stream(ticket + "&after=end") as tickets:
        assert [s.status for s in (bobs, carls, admins, tickets)] == [200] * 4
        share(people.ann, session, shared_with=["carl"])
        gone_within(bobs)
        gone_within(tickets)
        assert not bobs.whole
        people.ann.json("POST", f"/v1/sessions/{session}/events", {"name": "n", "data": 1}, 202)
        for stream in (carls, admins):
            stream.until(lambda event, data: event == "app.event")
    assert people.bob.stream(path).status == 404
    assert Person().stream(ticket).status == 404


def disabled_streams():
    """a disabled user's streams, keys and cookies end within a second; so does a lower role's sight"""
    people = People()
    key = key_of("eve", role="admin")
    eve, eves_cookie = Person(key["key"]), Person(cookie=sign_in(key["key"]))
    session = people.ann.say(QUICK)["session_id"]
    path = f"/v1/session/{session}/events?after=end"
    with eve.stream(path) as one, eves_cookie.stream("/v1/session/@me/events") as own:
        assert (one.status, own.status) == (200, 200)
        node.json("PATCH", "/v1/users/eve", {"role": "user"}, expect=200)
        gone_within(one)
        gone_within(own)
    assert eve.stream(path).status == 404  # as a user she does not see it
    assert eve.ask("GET", "/v1/keys")[0] == 403
    with eve.stream("/v1/session/@me/events") as own:
        assert own.status == 200
        listed = node.json("PATCH", "/v1/users/eve", {"disabled": True}, expect=200)
        assert listed["disabled"] and listed["role"] == "user" and listed["keys"] == 1, listed
        gone_within(own)
    assert eve.ask("GET", "/v1/auth/whoami")[0] == eves_cookie.ask("GET", "/v1/auth/whoami")[0] == 401
    node.kill()
    node.start()
    assert eve.ask("GET", "/v1/auth/whoami")[0] == 401
    node.json("PATCH", "/v1/users/eve", {"disabled": False, "role": "admin"}, expect=200)
    assert eve.ask("GET", "/v1/keys")[0] == 200


def files_follow():
    """attachments and work folders are for who sees their session"""
    people = People()
    text = "planted " + uuid.uuid4().hex
    attachment = people.ann.upload(text)
    path = "/v1/attachments/" + attachment
    missing = people.bob.ask("GET", "/v1/attachments/" + str(uuid.uuid4()))
    said = people.ann.say(QUICK, attachments=[{"id": attachment}])
    session = said["session_id"]
    people.ann.ask("PUT", f"/v1/workdir/write?session_id={session}&path=a", b"hers")

    def bob_sees():
        status, got = people.bob.ask("GET", path)
        assert status in (200, 404) and (text in got) == (status == 200), (status, got)
        if status == 404:
            assert json.loads(got)["detail"] == json.loads(missing[1])["detail"]
        folder = people.bob.ask("GET", f"/v1/workdir/read?session_id={session}&path=a")[0]
        named = people.bob.ask("POST", "/v1/session/message",
                               {"message": QUICK, "attachments": [{"id": attachment}]})[0]
        known = people.bob.json("POST", "/v1/uploads/known", {"files": [{"sha256": sha_of(text)}]})
        assert (folder == 200) == (named == 202) == (status == 200), (folder, named, status)
        assert bool(known["files"]) == (status == 200), known
        return status == 200
    assert not bob_sees()
    assert people.bob.ask("DELETE", path)[0] == 404
    share(people.ann, session, shared_with=["bob"])
    assert bob_sees()
    status, got = people.bob.ask("DELETE", path)
    assert status == 403 and json.loads(got)["rule"] == "owner", (status, got)
    assert people.carl.ask("GET", path)[0] == 404 and people.admin.ask("GET", path)[0] == 200


def sha_of(text):
    import hashlib
    return hashlib.sha256(text.encode()).hexdigest()


def imports_take_nothing():
    """a document that names another's file brings none of it, but what it brings along itself"""
    people = People()
    text = "planted " + uuid.uuid4().hex
    attachment = people.ann.upload(text)
    session = people.ann.say(QUICK, attachments=[{"id": attachment}])["session_id"]
    share(people.ann, session, shared_with=["bob"])
    whole = people.bob.ask("POST", "/v1/sessions/export", {"session_id": session})[1]
    share(people.ann, session, shared_with=[])
    path = "/v1/attachments/" + attachment
    assert people.bob.ask("GET", path)[0] == 404
    # The same without the bytes, closed by its own hash.
    lines = whole.splitlines(keepends=True)
    kept = [l for l in lines[:-1] if '"attachment"' not in l[:20] and '"attachment_bytes"' not in l[:24]]
    ndjson = {"Content-Type": "application/x-ndjson"}
    last = json.loads(lines[-1])
    bare = "".join(kept)
    last["sha256"] = sha_of(bare)
    bare += json.dumps(last, separators=(",", ":")) + "\n"
    status, got = people.bob.ask("POST", "/v1/sessions/import", bare.encode(), ndjson)
    assert status == 201 and len(kept) < len(lines) - 1, (status, got)
    assert people.bob.ask("GET", path)[0] == 404, "an import gave another's file"
    # Who has the bytes has them.
    status, got = people.bob.ask("POST", "/v1/sessions/import", whole.encode(), ndjson)
    assert status == 201, (status, got)
    made = people.bob.json("GET", "/v1/sessions/" + json.loads(got)["session_id"])
    assert (made["owner"], made["visibility"]) == ("bob", "private"), made
    assert people.bob.ask("GET", path)[0] == 200


def memories_follow():
    """memories are for who sees their session; notes of no session for who made them"""
    people = People()
    word = "harbour" + uuid.uuid4().hex[:8]
    session = people.ann.say(f"The {word} is blue {QUICK}")["session_id"]
    note = people.ann.json("POST", "/v1/memories", {"text": f"noted {word}"}, 201)["memory_id"]

    def seen(person):
        found = wait_until(lambda: people.admin.json("GET", f"/v1/memories/search?q={word}")["memories"])
        found = {m["memory_id"] for m in person.json("GET", f"/v1/memories/search?q={word}")["memories"]}
        listed = {m["memory_id"] for m in person.json("GET", "/v1/memories?limit=200")["memories"]
                  if word in m["text"]}
        recalled = {i["memory_id"] for i in
                    person.json("POST", "/v1/memory/recall", {"query": word})["items"]}
        exported = {json.loads(line)["memory_id"] for line in
                    person.ask("GET", "/v1/memories/export")[1].splitlines() if word in line}
        assert found == listed == exported and recalled <= found, (found, listed, recalled, exported)
        for one in found:
            assert person.ask("GET", "/v1/memories/" + one)[0] == 200
        return found
    hers = seen(people.ann)
    assert note in hers and len(hers) >= 2, hers
    assert seen(people.bob) == set() and seen(people.admin) == hers
    for one in hers:
        assert people.bob.ask("GET", "/v1/memories/" + one)[0] == 404
        assert people.bob.ask("DELETE", "/v1/memories/" + one)[0] == 404
    context = people.bob.ask("POST", "/v1/memory/recall", {"context_window": True, "session_id": session})
    assert context[0] == 404, context
    share(people.ann, session, visibility="tenant")
    assert seen(people.bob) == hers - {note}
    for one in hers - {note}:
        status, text = people.bob.ask("DELETE", "/v1/memories/" + one)
        assert status == 403 and json.loads(text)["rule"] == "owner", (status, text)
    share(people.ann, session, visibility="private")
    assert seen(people.bob) == set()


def usage_follows():
    """rows of usage by session are of those that their reader still sees"""
    people = People()
    session = people.ann.say(QUICK)["session_id"]
    share(people.ann, session, shared_with=["bob"])
    people.bob.say(QUICK, session)

    def rows(person):
        return [r for r in person.json("GET", "/v1/usage?by=session")["rows"]
                if r.get("session_id") == session]
    wait_until(lambda: rows(people.bob), what="the usage")
    share(people.ann, session, shared_with=[])
    assert rows(people.bob) == [] and rows(people.ann) and rows(people.admin)


def keys_of_people():
    """a key names its person; the users are listed with what is theirs"""
    key = key_of("new-person", role="user")
    assert key["user_id"] == "new-person"
    who = Person(key["key"])
    assert who.json("GET", "/v1/auth/whoami")["user_id"] == "new-person"
    who.json("POST", "/v1/sessions", {}, 201)
    assert node.json("POST", "/v1/keys", {"name": "mine"}, expect=201)["user_id"] == "admin"
    for bad in ("", "a b", "a\nb", "x" * 129, "-x"):
        node.json("POST", "/v1/keys", {"name": "x", "user_id": bad}, expect=422)
    listed = {k["key_id"]: k for k in node.json("GET", "/v1/keys")["keys"]}
    assert listed[key["key_id"]]["user_id"] == "new-person"
    found, cursor = {}, ""
    while cursor is not None:
        page = node.json("GET", "/v1/users?limit=2" + cursor, expect=200)
        found.update({u["user_id"]: u for u in page["users"]})
        cursor = page["next_cursor"] and "&cursor=" + page["next_cursor"]
    mine = found["new-person"]
    assert (mine["role"], mine["disabled"], mine["sessions"], mine["keys"]) == ("user", False, 1, 1), mine
    wait_until(lambda: {u["user_id"]: u for u in node.json("GET", "/v1/users?limit=200")["users"]}
               ["new-person"].get("last_seen_at"), what="the visit")
    assert found["admin"]["role"] == "admin"
    node.json("PATCH", "/v1/users/nobody-knows", {"disabled": True}, expect=404)
    node.json("PATCH", "/v1/users/admin", {"disabled": True}, expect=422)
    node.json("PATCH", "/v1/users/admin", {"role": "user"}, expect=422)


def sign_ins():
    """a browser's user sees his sign-ins, and ends one of them, or all"""
    key = key_of("walker")["key"]
    cookies = [sign_in(key) for _ in range(3)]
    people = [Person(cookie=c) for c in cookies]
    listed = people[0].json("GET", "/v1/auth/sessions")["sessions"]
    assert len(listed) == 3 and sum(s["current"] for s in listed) == 1, listed
    mine = next(s["id"] for s in listed if s["current"])
    stranger = Person(key_of("somebody-else")["key"])
    assert stranger.json("GET", "/v1/auth/sessions")["sessions"] == []
    assert stranger.ask("DELETE", "/v1/auth/sessions/" + mine)[0] == 404
    with people[0].stream("/v1/session/@me/events") as stream:
        assert people[1].ask("DELETE", "/v1/auth/sessions/" + mine)[0] == 204
        gone_within(stream)
    assert [p.ask("GET", "/v1/auth/whoami")[0] for p in people] == [401, 200, 200]
    assert people[1].ask("DELETE", "/v1/auth/sessions/" + mine)[0] == 404
    assert people[1].ask("DELETE", "/v1/auth/sessions")[0] == 204
    assert [p.ask("GET", "/v1/auth/whoami")[0] for p in people] == [401, 401, 401]
    assert Person(key).ask("GET", "/v1/auth/whoami")[0] == 200  # the key is none of them


if __name__ == "__main__":
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url)
    OTHER_TENANT = node.new_key("--tenant", "other", "--role", "admin", "--user", "ann")
    node.start()
    try:
        failed = run_tests([matrix, those_who_may, sharing, lists, own_stream, streams_end,
                            disabled_streams, files_follow, imports_take_nothing, memories_follow,
                            usage_follows, keys_of_people, sign_ins])
    finally:
        node.stop()
        rehearsal.stop()
    sys.exit(failed)
