"""A stand-in for SomaBrain that answers as real ones do, lies included: the single route says that an
item was persisted when it was not, recall without the tenant's header finds nothing of it, items of the
working memory have score 1.0 whatever is asked. It has two generations, and bad hours on demand."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"<html><body>404 Not Found</body></html>"


class SomaBrain:
    def __init__(self, port, generation="newest", token="brain-token"):
        self.port, self.generation, self.token = port, generation, token
        self.base_url = f"http://127.0.0.1:{port}"
        self.lock = threading.Lock()
        self.kept = {}      # (tenant, key) → value; of the older one (tenant, coordinate) → payload
        self.first = []     # keys in the order in which they were first kept
        self.calls = []     # (path, tenant of the header)
        self.rated = []     # bodies of feedback that was accepted
        self.refuses = set()  # texts that are never taken
        self.mode, self.backend = "good", True
        self.half = 0
        self.release = threading.Event()  # ends what hangs
        self.server = None

    def start(self):
        handler = type("Handler", (Handler,), {"brain": self})
        ThreadingHTTPServer.allow_reuse_address = True
        ThreadingHTTPServer.daemon_threads = True
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        self.release.set()
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def be(self, mode):
        with self.lock:
            self.mode = mode
        self.release.set()
        self.release = threading.Event()

    def keep(self, tenant, key, value):
        with self.lock:
            if (tenant, key) not in self.kept:
                self.first.append(key)
            self.kept[tenant, key] = value

    def texts(self, tenant="default"):
        with self.lock:
            return {k: v.get("text") for (t, k), v in self.kept.items() if t == tenant}

    def refuses_one(self, value):
        with self.lock:
            if value.get("text") in self.refuses:
                return True
            if self.mode != "half":
                return False
            self.half += 1
            return self.half % 2 == 0


class Handler(BaseHTTPRequestHandler):
    brain = None
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, document, headers=()):
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if data is PAGE else "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def lose(self):
        self.close_connection = True
        self.connection.close()

    def do_GET(self):
        brain = self.brain
        if self.path == "/health":  # always 200
            self.answer(200, {"ok": brain.backend, "ready": brain.backend, "status": "ok",
                              "components": {"memory": {"healthy": brain.backend}, "api": True}})
        else:
            self.answer(404, PAGE)

    def do_POST(self):
        brain = self.brain
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        tenant = self.headers.get("X-Tenant-ID", "")
        with brain.lock:
            brain.calls.append((self.path, tenant))
            mode, release = brain.mode, brain.release
        if self.headers.get("Authorization") != f"Bearer {brain.token}":
            return self.answer(401, {"detail": "Not authenticated"})
        if mode == "hang":
            release.wait(60)
            return self.lose()
        if mode == "500":
            return self.answer(500, {"detail": "Internal Server Error"})
        if mode == "429":
            return self.answer(429, {"detail": "Too Many Requests"}, [("Retry-After", "1")])
        if mode == "rubbish":
            return self.answer(200, b"\x00\xff {]")
        if mode == "slow":
            release.wait(10)
        try:
            asked = json.loads(body)
        except ValueError:
            return self.answer(422, {"detail": [{"type": "json_invalid", "loc": ["body"], "msg": ""}]})
        path = self.path[4:] if self.path.startswith("/api/") else self.path
        route = self.NEWEST if brain.generation == "newest" else self.OLDER
        if path not in route:
            return self.answer(404, PAGE)
        status, document = route[path](self, asked, tenant)
        if mode == "hold":  # kept, and not a word of it
            release.wait(60)
        if mode in ("lose", "hold"):
            return self.lose()
        self.answer(status, document)

    # ---- newest ----

    def remember(self, asked, _tenant):
        """Says that it is persisted whether it is or not."""
        if self.brain.backend:
            self.brain.keep(asked["tenant"], asked["key"], asked["value"])
        return 200, {"ok": True, "key": asked["key"], "persisted_to_ltm": True,
                     "deduplicated": False}

    def remember_batch(self, asked, _tenant):
        brain = self.brain
        if not brain.backend:
            return 503, {"detail": "memory backend unavailable"}
        results = []
        for one in asked["items"]:
            if one["value"].get("text") == "no such text may be":
                return 422, {"detail": [{"type": "value_error", "loc": ["body", "items"], "msg": ""}]}
            taken = not brain.refuses_one(one["value"])
            if taken:
                brain.keep(asked["tenant"], one["key"], one["value"])
            results.append({"key": one["key"], "coordinate": [0, 0, 0], "persisted_to_ltm": taken,
                            "promoted_to_wm": True, "deduplicated": False})
        return 200, {"ok": True, "tenant": asked["tenant"], "namespace": asked["namespace"],
                     "results": results}

    def recall(self, asked, tenant):
        """The tenant is that of the header alone; `wm` has score 1.0 whatever is asked."""
        brain = self.brain
        words = set(asked["query"].lower().split())
        with brain.lock:
            mine = [v for (t, _), v in brain.kept.items() if t == tenant]
        ltm = []
        for value in mine if brain.backend else []:
            score = len(words & set((value.get("text") or "").lower().split()))
            if score:
                ltm.append({"content": value, "layer": "ltm", "score": score / (1 + len(words)),
                            "coordinate": [0, 0, 0]})
        ltm.sort(key=lambda r: -r["score"])
        wm = [{"content": value, "layer": "wm", "score": 1.0} for value in mine[:2]]
        layer = asked.get("layer", "both")
        results = (wm if layer != "ltm" else []) + (ltm if layer != "wm" else [])
        return 200, {"tenant": tenant, "results": results[:asked.get("top_k", 10)],
                     "wm_hits": len(wm), "ltm_hits": len(ltm), "degraded": False}

    def feedback(self, _asked, _tenant):
        """Whatever the body is."""
        return 422, {"detail": [{"type": "missing", "loc": ["body"], "msg": "Field required"}]}

    # ---- older ----

    def old_remember(self, asked, tenant):
        if not self.brain.backend:
            return 503, {"detail": "memory backend unavailable"}
        self.brain.keep(tenant, asked["coord"], asked["payload"])
        return 200, {"ok": True, "success": True, "namespace": tenant, "trace_id": "t"}

    def old_delete(self, asked, tenant):
        coordinate = ",".join(f"{part:.7f}" for part in asked["coordinate"])
        with self.brain.lock:
            self.brain.kept.pop((tenant, coordinate), None)
        return 200, {"ok": True}

    def old_feedback(self, asked, _tenant):
        strings = [v for v in asked.values() if isinstance(v, str)]
        if any(len(one) > 1024 for one in strings) or len(json.dumps(asked.get("metadata", {}))) > 8192:
            return 400, {"detail": "too long"}
        missing = [n for n in ("session_id", "query", "prompt", "response_text", "utility") if n not in asked]
        if missing:
            return 422, {"detail": [{"type": "missing", "loc": ["body", n], "msg": ""} for n in missing]}
        with self.brain.lock:
            self.brain.rated.append(asked)
        return 200, {"accepted": True, "adaptation_applied": True}

    def old_recall(self, asked, tenant):
        found = self.recall(asked, tenant)[1]["results"]
        return 200, {"wm": [{"score": 1.0, "payload": r["content"]} for r in found if r["layer"] == "wm"],
                     "memory": [r["content"] for r in found if r["layer"] == "ltm"], "results": []}

    NEWEST = {"/memory/remember": remember, "/memory/remember/batch": remember_batch,
              "/memory/recall": recall, "/context/feedback": feedback}
    OLDER = {"/remember": old_remember, "/delete": old_delete, "/recall": old_recall,
             "/context/feedback": old_feedback}
