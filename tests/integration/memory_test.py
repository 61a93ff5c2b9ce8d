"""Memories over HTTP: nothing leaks from one tenant to another, what was acknowledged survives kill -9
and can be found, the index is made anew where it is gone, broken or of a newer version, and @me tells
of changes."""

import datetime
import json
import os
import shutil
import sqlite3
import sys
import threading
import urllib.parse
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from contract import Contract
from forms import upload
from node_under_test import ADMIN_KEY, Node, Rehearsal, run_tests, wait_until
from stream_client import Stream

QUICK = "[[rehearsal words=2 delay_ms=0]]"


class World:
    def __init__(self):
        self.rehearsal = Rehearsal()
        self.node = Node(self.rehearsal.base_url, settings=["memory.items_max=5000"])
        self.other = self.node.new_key("--tenant", "other", "--role", "admin")
        self.node.start()

    def stop(self):
        self.node.stop()
        self.rehearsal.stop()

    def ask(self, method, path, body=None, key=ADMIN_KEY, expect=200):
        status, _, text = self.node.request(method, path, body, key=key)
        assert status == expect, (method, path, status, text[:300])
        return json.loads(text) if text else None

    def note(self, text, key=ADMIN_KEY, **more):
        status, _, answer = self.node.request("POST", "/v1/memories", {"text": text, **more}, key=key)
        assert status in (200, 201), (status, answer)
        return json.loads(answer)

    def search(self, q, key=ADMIN_KEY):
        found = self.ask("GET", "/v1/memories/search?q=" + urllib.parse.quote(q), key=key)
        return found

    def all(self, key=ADMIN_KEY, query=""):
        found, cursor = [], ""
        while True:
            page = self.ask("GET", f"/v1/memories?limit=200{query}{cursor}", key=key)
            found += page["memories"]
            if not page["next_cursor"]:
                return found
            cursor = "&cursor=" + page["next_cursor"]

    def tool(self, session, tool_id, inputs):
        made = self.node.json("POST", "/v1/tool/request",
                              {"session_id": session, "tool_id": tool_id, "inputs": inputs},
                              {"Idempotency-Key": str(uuid.uuid4())}, expect=202)

        def result():
            return [e for e in self.node.events(session) if e["type"] == "tool.result"
                    and e["payload"]["tool_call_id"] == made["tool_call_id"]]
        wait_until(result, what="the tool's result")
        return result()[0]["payload"]


w = None


def no_leaks():
    """no route and no tool shows a tenant what is another's"""
    secret = "leak" + uuid.uuid4().hex[:8]
    mine = [w.note(f"{secret} number {n}", tags=[secret]) for n in range(5)]
    answers = [w.ask("GET", "/v1/memories?limit=200", key=w.other),
               w.ask("GET", f"/v1/memories?tag={secret}", key=w.other),
               w.search(secret, w.other), w.search(secret[:-2], w.other),
               w.ask("POST", "/v1/memory/recall", {"query": secret}, w.other),
               w.ask("POST", "/v1/memory/recall", {"ids": [m["memory_id"] for m in mine]}, w.other)]
    assert secret not in json.dumps(answers).replace(f'"query": "{secret}"', ""), answers
    assert w.ask("GET", "/v1/memory/status", key=w.other)["stored"] == 0
    for one in mine:
        path = "/v1/memories/" + one["memory_id"]
        w.ask("GET", path, key=w.other, expect=404)
        w.ask("PATCH", path, {"pinned": True}, key=w.other, expect=404)
        w.ask("DELETE", path, key=w.other, expect=404)
        assert w.ask("GET", path) == one
    assert len(w.search(secret)["memories"]) == 5


def tools():
    """what a tool saves the API finds, and the other way round; forgotten is forgotten"""
    session = w.ask("POST", "/v1/sessions", {}, expect=201)["session_id"]
    saved = w.tool(session, "memory_save", {"text": "The axolotl is called Axel", "tags": ["pets"]})
    assert saved["status"] == "success", saved
    memory_id = saved["output"]["memory_id"]
    shown = w.ask("GET", "/v1/memories/" + memory_id)
    assert (shown["session_id"], shown["kind"], shown["owner"]) == (session, "note", "admin"), shown
    again = w.tool(session, "memory_save", {"text": "the axolotl is called AXEL"})
    assert again["output"]["memory_id"] == memory_id
    other = w.note("An axolotl regrows its legs")
    found = w.tool(session, "memory_recall", {"query": "axolotl called"})["output"]["items"]
    assert [i["memory_id"] for i in found] == [memory_id, other["memory_id"]], found
    assert w.tool(session, "memory_forget", {"memory_id": memory_id})["output"] == {"forgotten": True}
    assert w.tool(session, "memory_forget", {"memory_id": memory_id})["output"] == {"forgotten": False}
    w.ask("GET", "/v1/memories/" + memory_id, expect=404)
    assert [m["memory_id"] for m in w.search("axolotl")["memories"]] == [other["memory_id"]]


def with_its_session():
    """deleting a session forgets what was noted in it, unless that is kept; a reset forgets nothing"""
    def noted(text):
        session = w.ask("POST", "/v1/sessions", {}, expect=201)["session_id"]
        saved = w.tool(session, "memory_save", {"text": text})
        return session, saved["output"]["memory_id"]

    gone, gone_id = noted("The xyloquagga sleeps at night")
    kept, kept_id = noted("The xyloquagga eats termites")
    reset, reset_id = noted("The xyloquagga has stripes")
    w.ask("DELETE", f"/v1/sessions/{gone}", expect=204)
    w.ask("DELETE", f"/v1/sessions/{kept}?memories=keep", expect=204)
    w.ask("POST", f"/v1/sessions/{reset}/reset")
    w.ask("GET", "/v1/memories/" + gone_id, expect=404)
    found = {m["memory_id"] for m in w.search("xyloquagga")["memories"]}
    assert found == {kept_id, reset_id}, (found, gone_id, kept_id, reset_id)
    assert {m["memory_id"] for m in w.all(query="&session_id=" + kept)} == {kept_id}


def exported():
    """GET /v1/memories/export gives each memory once, a line each, and those of no other tenant"""
    w.note("a note to take home")
    theirs = w.note("not to be taken home", key=w.other)
    status, headers, text = w.node.request("GET", "/v1/memories/export")
    assert status == 200 and headers["Content-Type"].startswith("application/x-ndjson"), (status, headers)
    lines = [json.loads(line) for line in text.splitlines()]
    listed = w.all()
    assert lines == listed and len(lines) == len({m["memory_id"] for m in lines}), (len(lines), len(listed))
    assert theirs["memory_id"] not in {m["memory_id"] for m in lines}


def of_a_context():
    """recall by a session's context finds what fits what was said there, and not what was said there"""
    word = "quokka" + uuid.uuid4().hex[:8]
    note = w.note(f"The {word} lives on an island")
    session = w.ask("POST", "/v1/sessions", {}, expect=201)["session_id"]
    asked = {"context_window": True, "session_id": session}
    assert w.ask("POST", "/v1/memory/recall", asked)["items"] == []
    w.ask("POST", "/v1/session/message", {"session_id": session, "message": f"Where does the {word} live? {QUICK}"},
          expect=202)
    wait_until(lambda: [e for e in w.node.events(session) if e["type"] == "llm.complete"], what="the answer")
    w.search(word)  # what was said can be found by now
    found = w.ask("POST", "/v1/memory/recall", asked)
    assert note["memory_id"] == found["items"][0]["memory_id"], found
    assert session not in {i.get("session_id") for i in found["items"]}, found
    assert found == w.ask("POST", "/v1/memory/recall", asked)
    w.ask("POST", "/v1/memory/recall", {"context_window": True}, expect=422)
    w.ask("POST", "/v1/memory/recall", {**asked, "query": word}, expect=422)
    w.ask("POST", "/v1/memory/recall", {**asked, "session_id": "nowhere"}, expect=404)
    w.ask("POST", "/v1/memory/recall", asked, key=w.other, expect=404)


def context_asks_policy():
    """recall by a context asks policy for conversation.read, by name; where it denies, the answer says which rule"""
    rules = os.path.join(w.node.data_dir, "rules.toml")
    with open(rules, "w", encoding="utf-8") as file:
        file.write('[[rule]]\nid = "closed"\neffect = "deny"\nactions = ["conversation.read"]\nusers = ["guest"]\n\n'
                   '[[rule]]\nid = "all"\neffect = "allow"\nactions = ["conversation.*", "memory.*"]\n')
    mine = Node(w.rehearsal.base_url, settings=[f"policy.file={rules}"])
    guest = mine.new_key("--user", "guest", "--role", "user")
    mine.start()
    try:
        session = mine.json("POST", "/v1/sessions", {}, expect=201)["session_id"]
        mine.json("PATCH", f"/v1/sessions/{session}", {"visibility": "tenant"}, expect=200)
        asked = {"context_window": True, "session_id": session}
        assert mine.request("POST", "/v1/memory/recall", asked)[0] == 200
        status, _, text = mine.request("POST", "/v1/memory/recall", asked, key=guest)
        refused = json.loads(text)
        assert (status, refused["code"], refused["rule"]) == (403, "policy.denied", "closed"), refused
        assert mine.request("POST", "/v1/memory/recall", {"query": "anything"}, key=guest)[0] == 200
    finally:
        mine.stop()


def tells_of_changes():
    """@me says memory.changed once a change can be found, to the tenant's own alone"""
    with Stream(w.node, "/v1/session/@me/events") as mine:
        assert mine.next_event()["event"] == "session.list"
        made = w.note("a change to be told of " + uuid.uuid4().hex)
        while mine.next_event()["event"] != "memory.changed":
            pass
        w.ask("DELETE", "/v1/memories/" + made["memory_id"], expect=204)
        while mine.next_event()["event"] != "memory.changed":
            pass


def survives():
    """acknowledged notes are there after kill -9, found by id, list and search"""
    word = "kept" + uuid.uuid4().hex[:8]
    made = {w.note(f"{word} {n}")["memory_id"] for n in range(50)}
    w.node.kill()
    w.node.start()
    for one in made:
        w.ask("GET", "/v1/memories/" + one)
    assert made <= {m["memory_id"] for m in w.all()}
    assert w.search(word)["memories"]


def index_file():
    return w.node.memory_index()


def index_gone(harm):
    word = "index" + uuid.uuid4().hex[:8]
    made = {w.note(f"{word} {n}")["memory_id"] for n in range(20)}
    w.node.stop()
    harm()
    w.node.start()
    wait_until(lambda: not w.search(word)["degraded"], what="the index")
    assert {m["memory_id"] for m in w.search(word)["memories"]} == made


def index_deleted():
    """the index is deleted: it is made anew from the store"""
    index_gone(lambda: os.remove(index_file()))


def index_cut():
    """the index is cut off: it is made anew"""
    index_gone(lambda: os.truncate(index_file(), os.path.getsize(index_file()) // 2))


def not_exported():
    """while the index cannot be made nothing is exported: half of it would look like all"""
    w.note("not exported " + uuid.uuid4().hex)
    contract = Contract(w.node)
    w.node.stop()
    os.remove(index_file())
    os.makedirs(os.path.join(index_file(), "in the way"))
    w.node.start()
    wait_until(lambda: w.ask("GET", "/v1/memories/search?q=x")["degraded"], what="the trouble")
    contract.ask("export_memories", 503, code="storage.unavailable")
    w.node.stop()
    shutil.rmtree(index_file())
    w.node.start()
    wait_until(lambda: not w.search("x")["degraded"], what="the index")
    assert "not exported" in contract.ask("export_memories", 200).text


def index_newer():
    """the index is of a newer version: it is made anew"""
    def newer():
        with sqlite3.connect(index_file()) as db:
            db.execute("PRAGMA user_version=99")
    index_gone(newer)


def index_garbage():
    """the index is written over: it is made anew, at the latest when that is noticed"""
    def garbage():
        with open(index_file(), "r+b") as file:
            file.seek(8192)
            file.write(b"\x5a" * (os.path.getsize(index_file()) - 8192))
    index_gone(garbage)


def quota():
    """past memory.items_max no note is taken, by name, and another tenant has its own"""
    node = Node(w.rehearsal.base_url, settings=["memory.items_max=2"])
    other = node.new_key("--tenant", "other", "--role", "admin")
    node.start()
    try:
        for n in range(2):
            assert node.request("POST", "/v1/memories", {"text": f"note {n}"})[0] == 201
        status, _, text = node.request("POST", "/v1/memories", {"text": "one more"})
        assert (status, json.loads(text)["code"]) == (429, "quota.exceeded"), text
        assert node.request("POST", "/v1/memories", {"text": "NOTE 1"})[0] == 200
        assert node.request("POST", "/v1/memories", {"text": "one more"}, key=other)[0] == 201
    finally:
        node.stop()


def expires():
    """what is over is in no list, search, recall, export or tool from its second on, and is deleted"""
    word = "brief" + uuid.uuid4().hex[:8]
    session = w.ask("POST", "/v1/sessions", {}, expect=201)["session_id"]
    saved = w.tool(session, "memory_save", {"text": f"{word} by a tool", "ttl_s": 3})["output"]["memory_id"]
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
    noted = w.note(f"{word} noted", expires_at=end.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    stays = w.note(f"{word} stays")["memory_id"]
    mine = {saved, noted["memory_id"], stays}

    def everywhere():
        """where each of them is still shown"""
        exported = [json.loads(line) for line in w.node.request("GET", "/v1/memories/export")[2].splitlines()]
        recalled = w.ask("POST", "/v1/memory/recall", {"query": word})["items"]
        by_id = w.ask("POST", "/v1/memory/recall", {"ids": sorted(mine)})["items"]
        told = w.tool(session, "memory_recall", {"query": word})["output"]["items"]
        return [{m["memory_id"] for m in all_of if m["memory_id"] in mine} for all_of in
                (w.all(), w.search(word)["memories"], exported, recalled, by_id, told)]
    assert w.ask("GET", "/v1/memories/" + saved)["expires_at"] > noted["created_at"]
    assert w.search(word)["memories"] and stays in everywhere()[0]
    stored = w.ask("GET", "/v1/memory/status")["stored"]
    wait_until(lambda: datetime.datetime.now(datetime.timezone.utc) > end + datetime.timedelta(seconds=0.2),
               what="the end of them")
    assert everywhere() == [{stays}] * 6, (everywhere(), mine)
    for gone in mine - {stays}:
        w.ask("GET", "/v1/memories/" + gone, expect=404)
        w.ask("GET", f"/v1/memories/{gone}/uses", expect=404)
        w.ask("DELETE", "/v1/memories/" + gone, expect=404)
    wait_until(lambda: w.ask("GET", "/v1/memory/status")["stored"] <= stored - 2, what="their deletion")
    w.node.kill()
    w.node.start()
    assert {m["memory_id"] for m in w.search(word)["memories"]} == {stays}


def said_for_a_while():
    """with memory.messages_ttl_days what is said has an end, and what is noted has none"""
    node = Node(w.rehearsal.base_url, settings=["memory.messages_ttl_days=30"]).start()
    try:
        node.json("POST", "/v1/memories", {"text": "noted"}, expect=201)
        session = node.say(f"said {QUICK}")["session_id"]
        wait_until(lambda: [e for e in node.events(session) if e["type"] == "llm.complete"], what="the answer")
        all_of = node.json("GET", "/v1/memories", expect=200)["memories"]
        assert len(all_of) == 3, all_of
        for one in all_of:
            if one["kind"] == "note":
                assert "expires_at" not in one, one
                continue
            made, end = (datetime.datetime.fromisoformat(one[name].replace("Z", "+00:00"))
                         for name in ("created_at", "expires_at"))
            assert end - made == datetime.timedelta(days=30), one
    finally:
        node.stop()


def bytes_quota():
    """past memory.bytes_max no note and no document is taken, by name; status tells both bounds"""
    node = Node(w.rehearsal.base_url, settings=["memory.bytes_max=40", "memory.items_max=1000"])
    other = node.new_key("--tenant", "other", "--role", "admin")
    node.start()
    try:
        note = node.json("POST", "/v1/memories", {"text": "x" * 30}, expect=201)
        attachment = upload(node, ("long.txt", b"A long text that has no room."))[0]["id"]

        def refused(method, path, body):
            status, _, text = node.request(method, path, body)
            assert (status, json.loads(text)["code"]) == (429, "quota.exceeded"), text
            assert "memory.bytes_max" in json.loads(text)["detail"], text
        refused("POST", "/v1/memories", {"text": "y" * 11})
        refused("PATCH", "/v1/memories/" + note["memory_id"], {"text": "y" * 41})
        refused("POST", "/v1/memory/import", {"attachment_id": attachment})
        node.json("POST", "/v1/memories", {"text": "z" * 10}, expect=201)
        assert node.request("POST", "/v1/memories", {"text": "y" * 11}, key=other)[0] == 201
        node.json("GET", "/v1/memories", expect=200)
        status = node.json("GET", "/v1/memory/status", expect=200)
        assert (status["bytes"], status["bytes_max"], status["items_max"]) == (40, 40, 1000), status
        assert node.request("DELETE", "/v1/memories/" + note["memory_id"])[0] == 204
        node.json("GET", "/v1/memories", expect=200)
        node.json("POST", "/v1/memory/import", {"attachment_id": attachment}, expect=201)
    finally:
        node.stop()


def seen_at_once():
    """what is written is in the next list and search, whoever else writes"""
    stop, late = threading.Event(), []

    def others():
        while not stop.is_set():
            w.note("noise " + uuid.uuid4().hex)
    threads = [threading.Thread(target=others) for _ in range(4)]
    for one in threads:
        one.start()
    try:
        for _ in range(20):
            word = "now" + uuid.uuid4().hex[:10]
            made = w.note(word)

            def found():
                return [m["memory_id"] for m in w.search(word)["memories"]][:1] == [made["memory_id"]]

            def gone():
                return not found()
            for looks in (found, gone):
                if looks is gone:
                    w.ask("DELETE", "/v1/memories/" + made["memory_id"], expect=204)
                if not looks():
                    late.append(looks.__name__)
                    wait_until(looks, what=f"{word} to be {looks.__name__}")
        # A search waits 200 ms for the index: on a machine with other work that is not always enough.
        assert len(late) <= 10, late
    finally:
        stop.set()
        for one in threads:
            one.join()


def waits_for_nobody():
    """however many notes of one tenant wait for the disk, another's has the next turn but one"""
    def waiting():
        figures = w.node.request("GET", "/metrics")[2]
        return int(float(figures.split("\nsoma_writes_waiting ", 1)[1].split("\n", 1)[0]))
    many = [w.node.connect(timeout=120) for _ in range(500)]
    try:
        for one in many:
            one.connect()
        for n, one in enumerate(many):
            one.request("POST", "/v1/memories", json.dumps({"text": f"many {n}"}),
                        {"Authorization": "Bearer " + w.other, "Content-Type": "application/json"})
        wait_until(lambda: waiting() >= 100, what="a hundred that wait")
        mine = w.note("mine " + uuid.uuid4().hex)
        theirs = []
        for one in many:
            answer = one.getresponse()
            assert answer.status == 201, answer.status
            theirs.append(json.loads(answer.read())["created_at"])
        assert any(at > mine["created_at"] for at in theirs), (mine["created_at"], max(theirs))
    finally:
        for one in many:
            one.close()


def main():
    global w
    w = World()
    try:
        return run_tests([no_leaks, tools, with_its_session, exported, of_a_context, context_asks_policy, tells_of_changes,
                          survives, index_deleted, index_cut, not_exported,
                          index_newer, index_garbage, quota, bytes_quota, expires, said_for_a_while,
                          seen_at_once, waits_for_nobody])
    finally:
        w.stop()


if __name__ == "__main__":
    sys.exit(main())
