"""What memories cost and how well they are found: a server of its own, over HTTP, and SQLite's FTS5 asked
directly with the same texts and questions.

    python3 bench/recall.py speed [--items 1000000]      # recall and visibility over many items of one tenant
    python3 bench/recall.py speed --vectors              # the same with vectors, of a provider that answers at once
    python3 bench/recall.py quality                      # recall@10 of questions with known answers
    python3 bench/recall.py turn [--items 10000]         # what recall adds to a turn's first delta
    python3 bench/recall.py replicated                   # until a SomaBrain has what was noted, and after an outage

Prints a table; --json FILE keeps the figures. Percentiles are of single requests, one after another, of a
client in Python (some 0.2 ms of each are its own); the machine's other work shows in p99.
"""

import argparse
import hashlib
import http.server
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from recall_corpus import Prose, quality

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "support"))
BIN = os.path.join(HERE, "..", "build/release/bin")
KEY = "soma-bench-loopback-only-4b1f6e0c9d2a"  # of a server of this run, on loopback, with an empty store
DIMENSIONS = 384
NOTED_MAX, BROUGHT_AT_ONCE = 100_000, 200
FILLERS, AT_ONCE = 4, 64  # connections that fill, requests under way on each
NOTES_A_SECOND, STEADY_S, OUTAGE_S = 50, 30, 60


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Client:
    """One keep-alive connection."""

    def __init__(self, port):
        self.port = port
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def text(self, method, path, body=None):
        payload = b"" if body is None else json.dumps(body).encode()
        head = (f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {KEY}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n")
        return head.encode() + payload

    def answer(self):
        while b"\r\n\r\n" not in self.rest:
            self.more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
        while len(self.rest) < length:
            self.more()
        body, self.rest = self.rest[:length], self.rest[length:]
        return int(head.split(b" ", 2)[1]), body

    def more(self):
        piece = self.connection.recv(1 << 18)
        if not piece:
            raise RuntimeError("the server closed the connection")
        self.rest += piece

    def ask(self, method, path, body=None):
        self.connection.sendall(self.text(method, path, body))
        status, answer = self.answer()
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {answer[:300]!r}")
        return json.loads(answer) if answer else None


class Server:
    def __init__(self, options, folder, environment=None, config=""):
        self.port = free_port()
        path = os.path.join(folder, "bench.toml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(config)
        self.log = open(os.path.join(folder, "soma.log"), "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [options.soma, "serve", "--config", path, "--data-dir", os.path.join(folder, "data"), "--port", str(self.port)],
            env={**os.environ, "SOMA_ADMIN_KEY": KEY, "SOMA_LOG_LEVEL": "warn", **(environment or {})},
            stdout=self.log, stderr=self.log)
        for _ in range(3000):
            try:
                if Client(self.port).ask("GET", "/readyz") is not None:
                    return
            except (OSError, RuntimeError):
                if self.process.poll() is not None:
                    raise RuntimeError("the server ended; see " + self.log.name) from None
                time.sleep(0.01)
        raise RuntimeError("the server is not ready")

    def rss_mb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) / 1024

    def stop(self):
        self.process.terminate()
        self.process.wait()


def note_all(port, texts):
    """The memory_ids, in the order of the texts."""
    ids = [None] * len(texts)

    def fill(first):
        client = Client(port)
        mine = range(first, len(texts), FILLERS)
        for at in range(0, len(mine), AT_ONCE):
            some = mine[at:at + AT_ONCE]
            client.connection.sendall(b"".join(client.text("POST", "/v1/memories", {"text": texts[i]}) for i in some))
            for i in some:
                status, body = client.answer()
                if status not in (200, 201):
                    raise RuntimeError(f"a note was refused: {status} {body[:300]!r}")
                ids[i] = json.loads(body)["memory_id"]

    fillers = [threading.Thread(target=fill, args=(n,)) for n in range(FILLERS)]
    for one in fillers:
        one.start()
    for one in fillers:
        one.join()
    if None in ids:
        raise RuntimeError("not all texts were noted")
    return ids


def bring_all(port, texts):
    """The same as another site's log, in which many come at once: a note is a sync of the disk each."""
    client, after = Client(port), ""
    for first in range(0, len(texts), BROUGHT_AT_ONCE):
        lines = []
        for n in range(first, min(first + BROUGHT_AT_ONCE, len(texts))):
            item = {"memory_id": f"brought-{n}", "kind": "note", "text": texts[n], "tags": [], "importance": 0.5,
                    "pinned": False, "owner": "admin", "created_at": 1700000000000 + n, "updated_at": 1700000000000 + n,
                    "state": "stored"}
            lines.append(json.dumps({"type": "put", "position": f"p.{n}", "item": item}))
        after = client.ask("POST", "/v1/memory/wal", {"log": "bench", "after": after, "lines": lines})["position"]
    client.ask("POST", "/v1/memory/wal", {"log": "bench", "end": True})


def wait_for_index(server):
    while True:
        status = Client(server.port).ask("GET", "/v1/memory/status")
        if status["index_lag"] == 0 and not status.get("degraded"):
            return
        time.sleep(0.2)


def percentiles(times):
    times = sorted(times)
    return {"p50": times[len(times) // 2], "p99": times[min(len(times) - 1, len(times) * 99 // 100)],
            "longest": times[-1]}


def timed(work, inputs):
    times = []
    for one in inputs:
        begin = time.perf_counter()
        work(one)
        times.append((time.perf_counter() - begin) * 1000)
    return percentiles(times)


class Fts:
    """SQLite's own ranking over the same texts, in this process."""

    def __init__(self, path, texts):
        self.db = sqlite3.connect(path)
        self.db.execute("CREATE VIRTUAL TABLE t USING fts5(text, tokenize='unicode61 remove_diacritics 2')")
        self.db.executemany("INSERT INTO t(rowid, text) VALUES (?, ?)", enumerate(texts))
        self.db.commit()

    def search(self, question, limit=10):
        words = re.findall(r"\w+", question)[:32]
        match = " OR ".join('"' + w + '"' for w in words)
        return [row[0] for row in self.db.execute(
            "SELECT rowid FROM t WHERE t MATCH ? ORDER BY bm25(t) LIMIT ?", (match, limit))]


def questions_of(prose, texts, count):
    """As people ask: common words with one or two that say something."""
    out = []
    for i in range(count):
        words = texts[prose.chance.randrange(len(texts))].rstrip(".").split()
        rare = sorted(words, key=prose.words.index)[-1:] if i % 2 else words[:3]
        out.append(" ".join(prose.some(3) + rare))
    return out


def speed(options, figures):
    prose = Prose()
    texts = [prose.text() for _ in range(options.items)]
    questions = questions_of(prose, texts, options.questions)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        server = Server(options, folder, config=f"[memory]\nitems_max = {options.items + options.visible}\n")
        begin = time.monotonic()
        (note_all if options.items <= NOTED_MAX else bring_all)(server.port, texts)
        noted = time.monotonic()
        wait_for_index(server)
        client = Client(server.port)
        figures["noted, items/s"] = options.items / (noted - begin)
        figures["index up to date after the last note, s"] = time.monotonic() - noted
        if options.vectors:
            embedder = HashEmbedder()
            begin = time.monotonic()
            client.ask("PUT", "/v1/model-profiles/embedder", {"role": "embed", "model": "hash", "base_url": embedder.base_url})
            wait_for_vectors(server)
            client = Client(server.port)
            figures[f"vectors of {DIMENSIONS} numbers, items/s"] = options.items / (time.monotonic() - begin)
        recall = lambda q: client.ask("POST", "/v1/memory/recall", {"query": q, "limit": 10})
        timed(recall, questions[:50])
        for name, value in timed(recall, questions).items():
            figures[f"recall {name}, ms"] = value
        figures["RSS, MB"] = server.rss_mb()
        seen = []
        for i in range(options.visible):
            text = f"visibleword{i} {prose.text()}"
            client.ask("POST", "/v1/memories", {"text": text})
            begin = time.perf_counter()
            while not client.ask("POST", "/v1/memory/recall", {"query": f"visibleword{i}", "limit": 1})["items"]:
                time.sleep(0.001)
            seen.append((time.perf_counter() - begin) * 1000)
        for name, value in percentiles(seen).items():
            figures[f"visible to recall after its answer, {name}, ms"] = value
        server.stop()
        peer = Fts(os.path.join(folder, "peer.sqlite"), texts)
        for name, value in timed(peer.search, questions).items():
            figures[f"SQLite FTS5 asked directly, {name}, ms"] = value


def found_share(search, questions, ids):
    hits, by_language = 0, {}
    for text, place, language in questions:
        hit = ids[place] in search(text)
        hits += hit
        had, all_of = by_language.get(language, (0, 0))
        by_language[language] = (had + hit, all_of + 1)
    return hits / len(questions), {k: had / all_of for k, (had, all_of) in by_language.items()}


class Embedder:
    """bench/embedder.py on a port of its own, where its packages are (bench/recall.txt)."""

    def __init__(self):
        self.port = free_port()
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "embedder.py"), "--port", str(self.port)])
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        for _ in range(600):
            try:
                self.embed(["x"])
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the embedder does not answer")

    def embed(self, texts):
        vectors = []
        for at in range(0, len(texts), 64):
            asked = urllib.request.Request(self.base_url + "/embeddings", json.dumps({"input": texts[at:at + 64]}).encode(),
                                           {"Content-Type": "application/json"})
            with urllib.request.urlopen(asked) as answer:
                vectors += [one["embedding"] for one in json.load(answer)["data"]]
        return vectors

    def stop(self):
        self.process.terminate()
        self.process.wait()


class HashEmbedder:
    """An embeddings provider that answers at once: a text's vector is drawn from its hash. Good for speed only; to a
    graph of neighbours such vectors, each as far from any other, are the worst there are."""

    def __init__(self):
        def embeddings(texts):
            return [{"index": i, "embedding": [b - 127.5 for b in hashlib.shake_256(text.encode()).digest(DIMENSIONS)]}
                    for i, text in enumerate(texts)]

        class Handler(http.server.BaseHTTPRequestHandler):
            disable_nagle_algorithm = True  # head and body are two writes: else the second waits 40 ms
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
                body = json.dumps({"data": embeddings(texts), "usage": {"prompt_tokens": 1, "total_tokens": 1}}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()


class Vectors:
    """All of them compared, in this process."""

    def __init__(self, embedder, texts):
        import numpy
        self.numpy, self.embedder = numpy, embedder
        self.all = numpy.array(embedder.embed(texts), dtype=numpy.float32)

    def search(self, question, limit=10):
        asked = self.numpy.array(self.embedder.embed([question])[0], dtype=self.numpy.float32)
        return [int(i) for i in self.numpy.argsort(-(self.all @ asked), kind="stable")[:limit]]


class Mem0:
    """The library with its local store and our embedder; texts are kept as they are, without a model."""

    def __init__(self, embedder, texts, folder):
        os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=folder, OPENAI_API_KEY="none")
        from mem0 import Memory
        self.memory = Memory.from_config({
            "embedder": {"provider": "openai", "config": {"model": "all-minilm-l6-v2", "embedding_dims": 384, "api_key": "none",
                                                          "openai_base_url": embedder.base_url}},
            "vector_store": {"provider": "qdrant", "config": {"path": os.path.join(folder, "qdrant"), "embedding_model_dims": 384,
                                                              "collection_name": "bench"}},
            "llm": {"provider": "openai", "config": {"api_key": "none"}}})
        self.places = {}
        for place, text in enumerate(texts):
            for one in self.memory.add(text, user_id="bench", infer=False)["results"]:
                self.places[one["id"]] = place

    def search(self, question, limit=10):
        found = self.memory.search(question, filters={"user_id": "bench"}, top_k=limit)["results"]
        return [self.places[one["id"]] for one in found]


def wait_for_vectors(server):
    while True:
        vectors = Client(server.port).ask("GET", "/v1/memory/status")["vectors"]
        if vectors["state"] == "ready" and vectors["waiting"] == 0:
            return
        time.sleep(0.5)


def quality_of(options, figures):
    passages, questions = quality()
    places = list(range(len(passages)))
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        embedder = Embedder() if options.embedder else None
        server = Server(options, folder)
        ids = note_all(server.port, passages)
        wait_for_index(server)
        client = Client(server.port)

        def recall(text):
            answer = client.ask("POST", "/v1/memory/recall", {"query": text, "limit": 10})
            return [one["memory_id"] for one in answer["items"]]

        def ask(system, search, known_as):
            begin = time.perf_counter()
            share, by_language = found_share(search, questions, known_as)
            figures[f"{system}: recall@10 of {len(questions)} questions, {len(passages):,} passages"] = share
            for language, part in by_language.items():
                figures[f"{system}: … {language}"] = part
            figures[f"{system}: a question, mean, ms"] = (time.perf_counter() - begin) * 1000 / len(questions)

        ask("soma, words", recall, ids)
        ask("SQLite FTS5 asked directly", Fts(os.path.join(folder, "peer.sqlite"), passages).search, places)
        if embedder:
            client.ask("PUT", "/v1/model-profiles/embedder",
                       {"role": "embed", "model": "all-minilm-l6-v2", "base_url": embedder.base_url})
            wait_for_vectors(server)
            client = Client(server.port)
            ask("soma, words and vectors", recall, ids)
            ask("vectors alone, all compared", Vectors(embedder, passages).search, places)
            ask("mem0, same embedder", Mem0(embedder, passages, folder).search, places)
            embedder.stop()
        server.stop()


def first_deltas(port, count):
    """ms from the send of a message to the first delta on the session's stream, a new session each."""
    times = []
    for i in range(count):
        client, reader = Client(port), Client(port)
        session = client.ask("POST", "/v1/sessions", {"title": "bench"})["session_id"]
        reader.connection.sendall(
            f"GET /v1/session/{session}/events?after=end HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Authorization: Bearer {KEY}\r\nAccept: text/event-stream\r\n\r\n".encode())
        while b"\r\n\r\n" not in reader.rest:
            reader.more()
        begin = time.perf_counter()
        client.ask("POST", "/v1/session/message",
                   {"session_id": session, "message": f"Tell me of visibleword{i}. [[rehearsal words=5 delay_ms=0]]"})
        while b"event: llm.delta" not in reader.rest:
            reader.more()
        times.append((time.perf_counter() - begin) * 1000)
        client.connection.close()
        reader.connection.close()
    return times


def turn(options, figures):
    prose = Prose()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        port = free_port()
        model = subprocess.Popen([options.rehearsal, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        environment = {"SOMA_LLM_BASE_URL": f"http://127.0.0.1:{port}/v1", "SOMA_LLM_API_KEY": "rehearsal",
                       "SOMA_LLM_MODEL": "rehearsal"}
        servers = {}
        for name, on in (("with recall", "true"), ("without", "false")):
            place = os.path.join(folder, name.replace(" ", "-"))
            os.mkdir(place)
            servers[name] = Server(options, place, environment, f"[memory]\nrecall = {on}\n")
            note_all(servers[name].port, [prose.text() for _ in range(options.items)])
            wait_for_index(servers[name])
        times = {name: [] for name in servers}
        for _ in range(8):  # in turn, so that the machine's moods meet both
            for name, server in servers.items():
                times[name] += first_deltas(server.port, 25)
        for name, server in servers.items():
            for which, value in percentiles(times[name]).items():
                figures[f"first delta {name}, {which}, ms"] = value
            server.stop()
        model.terminate()


class TimedBrain:
    """The tests' stand-in for SomaBrain, with the time at which each memory was first kept."""

    def __init__(self):
        from somabrain import SomaBrain
        self.kept_at, timed = {}, self.kept_at_of

        class Brain(SomaBrain):
            def keep(self, tenant, key, value):
                super().keep(tenant, key, value)
                timed(value)

        self.brain = Brain(free_port()).start()

    def kept_at_of(self, value):
        if value.get("text"):
            self.kept_at.setdefault(value["text"], time.monotonic())


def replicated(options, figures):
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        there = TimedBrain()
        server = Server(options, folder, {"SOMA_BASE_URL": there.brain.base_url, "SOMA_API_TOKEN": there.brain.token})
        client, noted = Client(server.port), {}

        def note_for(seconds, name, until=lambda: False):
            begin, n = time.monotonic(), 0
            while time.monotonic() - begin < seconds and not until():
                text = f"{name} {n}: a thing that was said, of the usual length of what people say to one another"
                client.ask("POST", "/v1/memories", {"text": text})
                noted[text] = time.monotonic()
                n += 1
                time.sleep(max(0.0, begin + n / NOTES_A_SECOND - time.monotonic()))

        note_for(STEADY_S, "steady")
        time.sleep(5)
        late = sorted((there.kept_at[t] - at) * 1000 for t, at in noted.items())
        figures[f"noted {NOTES_A_SECOND} a second, until SomaBrain has it, p50, ms"] = late[len(late) // 2]
        figures["… p95, ms"] = late[len(late) * 95 // 100]
        figures["… longest, ms"] = late[-1]
        there.brain.be("500")  # whoever is connected
        there.brain.stop()
        note_for(OUTAGE_S, "away")
        there.brain.be("good")
        there.brain.start()
        back, behind = time.monotonic(), sum(t not in there.kept_at for t in noted)
        note_for(600, "after", until=lambda: all(t in there.kept_at or at > time.monotonic() - 1 for t, at in list(noted.items())))
        figures[f"SomaBrain away for {OUTAGE_S} s, items behind"] = behind
        figures["… caught up after its return, while notes go on, s"] = time.monotonic() - back
        there.brain.stop()
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "quality", "turn", "replicated"])
    parser.add_argument("--soma", default=os.path.join(BIN, "soma"))
    parser.add_argument("--rehearsal", default=os.path.join(BIN, "soma-rehearsal"))
    parser.add_argument("--items", type=int)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--embedder", action="store_true", help="with vectors, and mem0 beside us")
    parser.add_argument("--vectors", action="store_true", help="speed: with vectors, of a provider that answers at once")
    parser.add_argument("--visible", type=int, default=200)
    parser.add_argument("--folder", help="where the stores are made")
    parser.add_argument("--json", help="keeps the figures")
    options = parser.parse_args()
    options.items = options.items or {"speed": 100_000, "turn": 10_000}.get(options.what)
    figures = {}
    {"speed": speed, "quality": quality_of, "turn": turn, "replicated": replicated}[options.what](options, figures)
    title = options.what + (f", {options.items:,} items" if options.items else "")
    print(f"| {title} | |\n|---|---:|")
    for name, value in figures.items():
        print(f"| {name} | {value:,.3g} |" if abs(value) < 1000 else f"| {name} | {value:,.0f} |")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump({title: figures}, f, ensure_ascii=False, indent=1)


if __name__ == "__main__":
    main()
