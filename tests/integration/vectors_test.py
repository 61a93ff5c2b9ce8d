"""Memories are found by what they mean where a tenant has a profile with role `embed`: asked through the
gateway and counted, made anew for another model; where the provider refuses, is slow or gone, by words
alone, and the answer says so."""

import http.server
import json
import os
import re
import sys
import threading
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import ADMIN_KEY, Node, Rehearsal, run_tests, wait_until

MEANINGS = {"automobile": "car", "vehicle": "car", "kitten": "cat", "feline": "cat", "infant": "baby"}

PLACES = {}  # of each word, the direction it stands for


def vector(text, dimension):
    """A bag of words; those of one meaning are one."""
    out = [0.01] * dimension
    for word in re.findall(r"[a-z]{3,}", text.lower()):
        if word not in ("the", "where", "under"):
            meaning = MEANINGS.get(word, word)
            out[PLACES.setdefault(meaning, len(PLACES)) % dimension] += 1
    return out


class Embeddings:
    """A provider of embeddings, as one that speaks OpenAI's API gives them."""

    def __init__(self):
        self.dimension, self.status, self.asked = 512, 200, []
        self.never = ""  # what has this gets a 500, and nothing that is beside it is taken
        self.go_on = threading.Event()
        self.go_on.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append((self.path, body))
                outer.go_on.wait(30)
                refused = outer.never and any(outer.never in text for text in body["input"])
                status = 500 if refused else outer.status
                if status != 200:
                    answer = {"error": {"message": "not today", "type": "server_error"}}
                else:
                    answer = {"object": "list", "model": body["model"],
                              "data": [{"object": "embedding", "index": i,
                                        "embedding": vector(text, outer.dimension)}
                                       for i, text in enumerate(body["input"])],
                              "usage": {"prompt_tokens": 7, "total_tokens": 7}}
                text = json.dumps(answer).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except OSError:  # nobody waits for it any more
                    pass

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.go_on.set()
        self.server.shutdown()


class World:
    def __init__(self):
        self.rehearsal, self.provider = Rehearsal(), Embeddings()
        self.node = Node(self.rehearsal.base_url, ["memory.recall=true", "memory.write=false", "memory.recall_ms=5000",
                                                   "llm.breaker_failures=1000", "llm.breaker_open_ms=1000"])
        self.other = self.node.new_key("--tenant", "other", "--role", "admin")
        self.node.start()

    def stop(self):
        self.node.stop()
        self.provider.stop()
        self.rehearsal.stop()

    def profile(self, model):
        return self.node.json("PUT", "/v1/model-profiles/near", {
            "role": "embed", "model": model, "base_url": self.provider.base_url})

    def note(self, text):
        return self.node.json("POST", "/v1/memories", {"text": text})["memory_id"]

    def search(self, q, key=ADMIN_KEY):
        return json.loads(self.node.request("GET", "/v1/memories/search?q=" + urllib.parse.quote(q),
                                            key=key)[2])

    def vectors(self):
        return self.node.json("GET", "/v1/memory/status", expect=200)["vectors"]

    def made(self):
        def all_are():
            status = self.node.json("GET", "/v1/memory/status", expect=200)
            return (status["waiting"], status["vectors"]["state"], status["vectors"]["waiting"]) == (0, "ready", 0)
        wait_until(all_are, what="all vectors", seconds=60)

    def texts(self, q):
        return [m["text"] for m in self.search(q)["memories"]]


w = None


def by_meaning():
    """a note is found without a word of it, what it costs is counted, and a turn is told of it"""
    assert w.vectors()["state"] == "off"
    w.note("The automobile stands in the garage")
    w.note("Bread is baked on Fridays")
    assert w.texts("car") == []
    w.profile("first")
    wait_until(lambda: w.vectors()["state"] != "off", what="the profile")
    w.made()
    assert w.texts("car") == ["The automobile stands in the garage"]
    assert not w.search("car")["degraded"]
    assert w.search("car", w.other)["memories"] == []
    assert {path for path, _ in w.provider.asked} == {"/v1/embeddings"}
    wait_until(lambda: "first" in json.dumps(w.node.json("GET", "/v1/usage?by=model", expect=200)),
               what="usage, which is saved behind")
    session = w.node.say("Where is my car?")["session_id"]
    wait_until(lambda: [e for e in w.node.events(session) if e["type"] == "llm.complete"], what="the answer")
    recalled = [e for e in w.node.events(session) if e["type"] == "memory.recall"][0]["payload"]
    assert "The automobile stands in the garage" in [i["text"] for i in recalled["items"]], recalled


def forgotten():
    """what is forgotten is found by no vector, also after kill -9"""
    gone = w.note("A kitten sleeps under the stove")
    w.made()
    assert "A kitten sleeps under the stove" in w.texts("feline")
    assert w.node.request("DELETE", "/v1/memories/" + gone)[0] == 204
    assert "A kitten sleeps under the stove" not in w.texts("feline")
    before = len(w.provider.asked)
    w.node.kill()
    w.node.start()
    w.made()
    assert "A kitten sleeps under the stove" not in w.texts("feline")
    assert w.texts("car")[0] == "The automobile stands in the garage"
    asked = [body["input"] for _, body in w.provider.asked[before:]]
    assert all(texts in (["feline"], ["car"]) for texts in asked), asked  # nothing is made twice


def another_model():
    """another model, and another dimension of it, have all made anew"""
    w.provider.dimension = 640
    w.profile("second")
    wait_until(lambda: [b for _, b in w.provider.asked if b["model"] == "second" and len(b["input"]) > 1],
               what="the second model", seconds=60)
    w.made()
    assert w.texts("car")[0] == "The automobile stands in the garage"


def refusing():
    """where the provider refuses, words are left; the answer, the turn and the status say why"""
    w.provider.status = 500
    w.note("An infant sleeps in the attic")
    wait_until(lambda: w.vectors()["state"] == "failing", what="a refusal", seconds=60)
    assert w.vectors()["why"] and w.vectors()["waiting"] == 1, w.vectors()
    found = w.search("attic")
    assert found["degraded"] and found["why"], found
    assert [m["text"] for m in found["memories"]] == ["An infant sleeps in the attic"], found
    w.provider.status = 200
    w.made()
    assert "An infant sleeps in the attic" in w.texts("baby")


def set_aside():
    """a text that the provider never takes is set aside, counted and told of, and the others go on"""
    def metric(name):
        text = w.node.request("GET", "/metrics")[2]
        return int(float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1]))
    w.provider.never = "abracadabra"
    bad = w.note("The infant says abracadabra")
    wait_until(lambda: w.vectors()["state"] == "failing", what="a refusal", seconds=60)
    w.note("A vehicle in the yard")
    health = w.node.json("GET", "/v1/health")["components"]["vectors"]
    assert health["status"] == "degraded" and health["detail"] and health["waiting"] >= 1, health
    w.made()
    assert w.vectors()["set_aside"] == 1, w.vectors()
    assert "A vehicle in the yard" in w.texts("car")
    assert w.texts("abracadabra")[0] == "The infant says abracadabra"
    health = w.node.json("GET", "/v1/health")["components"]["vectors"]
    assert (health["status"], health["waiting"], health["set_aside"]) == ("ok", 0, 1), health
    assert metric("soma_memory_vectors_set_aside") == 1 and metric("soma_memory_vectors_waiting") == 0
    w.provider.never = ""
    assert w.node.request("DELETE", "/v1/memories/" + bad)[0] == 204
    wait_until(lambda: w.vectors()["set_aside"] == 0, what="none of it")


def late():
    """a question whose vector takes too long is answered by words, in time"""
    w.provider.go_on.clear()
    try:
        found = w.search("attic")
        assert found["degraded"] and "question" in found["why"], found
        assert [m["text"] for m in found["memories"]] == ["An infant sleeps in the attic"], found
    finally:
        w.provider.go_on.set()


def without():
    """without the profile there are words alone, and nothing is missing"""
    assert w.node.request("DELETE", "/v1/model-profiles/near")[0] == 204
    wait_until(lambda: w.vectors() == {"state": "off", "waiting": 0, "set_aside": 0, "lag_s": 0}, what="no vectors")
    assert "vectors" not in w.node.json("GET", "/v1/health")["components"]
    found = w.search("automobile")
    assert len(found["memories"]) == 1 and not found["degraded"], found
    assert w.texts("baby") == []


def main():
    global w
    w = World()
    try:
        return run_tests([by_meaning, forgotten, another_model, refusing, set_aside, late, without])
    finally:
        w.stop()


if __name__ == "__main__":
    sys.exit(main())
