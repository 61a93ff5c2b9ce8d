"""What must not happen twice or get lost while owners of a cluster are killed, beside messages: two admins who change one
profile through two nodes, keys that are made and taken back, and tools that may not run twice."""

import http.server
import json
import os
import random
import sys
import tempfile
import threading
import time
import uuid
from urllib.parse import quote

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cluster_checker import assert_none, check_tables, twice
from cluster_faults import SEED, a_cluster, a_load, pick_owner, run_faults
from cluster_load import tables_of
from node_under_test import wait_until

ROUNDS = int(os.environ.get("SOMA_KILLS", "3"))


class Shared:
    """What two change: where it is, and where in it the number is kept."""

    def __init__(self, path, method, member, whole):
        self.path, self.method, self.member, self.whole = path, method, member, whole

    def number_in(self, text):
        return int(json.loads(text)[self.member].split("-")[0])

    def with_number(self, text, number):
        return {**(json.loads(text) if self.whole else {}), self.member: number}


class Admin(threading.Thread):
    """Adds one to the number, over and over: reads it at one node, and writes it there if it is still what was read. Keeps
    the numbers that were acknowledged, and those of which nobody knows."""

    def __init__(self, node, name, shared, end):
        super().__init__(daemon=True)
        self.node, self.name, self.shared, self.end = node, name, shared, end
        self.written, self.unknown, self.refused, self.failed = [], [], 0, None

    def run(self):
        while not self.end.is_set():
            try:
                self.add_one()
            except OSError:
                time.sleep(0.1)
            except Exception as why:
                self.failed = why
                return

    def add_one(self):
        status, headers, text = self.node.request("GET", self.shared.path)
        if status == 503:
            return
        assert status == 200, (self.node.name, status, text[:300])
        number = self.shared.number_in(text) + 1
        one = f"{number}-{self.name}-{uuid.uuid4().hex[:8]}"
        self.unknown.append(number)
        status, _, text = self.node.request(self.shared.method, self.shared.path, self.shared.with_number(text, one),
                                            {"If-Match": headers["ETag"]})
        if status == 200:
            self.written.append(self.unknown.pop())
        elif status == 412:
            self.refused += 1
            self.unknown.pop()
        elif status != 503:
            raise AssertionError(f"{self.node.name}: {status} {text[:300]}")


def owner_of_documents(cluster, rng):
    """Partition 0 has what is no session's."""
    owners = cluster.owners()
    return next((node for node in cluster.alive() if owners and node.name == owners[0][0]), rng.choice(cluster.alive()))


def two_change(make):
    """`make` makes the thing at a node. Its owner is killed while two change it through two nodes."""
    rng = random.Random(SEED)
    with a_cluster(brokers=1) as cluster:
        shared = make(cluster.nodes[0])
        for node in cluster.nodes:
            wait_until(lambda: node.request("GET", shared.path)[0] == 200, 20, f"it at {node.name}")
        end = threading.Event()
        admins = [Admin(node, f"admin{i}", shared, end) for i, node in enumerate(cluster.nodes[:2])]
        for admin in admins:
            admin.start()
        for _ in range(ROUNDS):
            time.sleep(rng.uniform(2, 4))
            victim = owner_of_documents(cluster, rng)
            victim.kill()
            time.sleep(6)
            victim.start()
            cluster.wait_for(len(cluster.nodes))
        time.sleep(3)
        end.set()
        for admin in admins:
            admin.join(60)
            if admin.failed:
                raise admin.failed
        time.sleep(1)
        last = [shared.number_in(node.request("GET", shared.path)[2]) for node in cluster.nodes]
        written = [number for admin in admins for number in admin.written]
        unknown = [number for admin in admins for number in admin.unknown]
        print(f"  {len(written)} writes, {sum(a.refused for a in admins)} refused as late, {len(unknown)} not known, "
              f"the number is {last}", flush=True)
        found = [f"acknowledged twice, so one was lost: {number}" for number in twice(written)]
        found += [f"nobody wrote {n}" for n in range(1, last[0] + 1) if n not in written and n not in unknown]
        found += [f"{n} was acknowledged, and the last is {last[0]}" for n in written if n > last[0]]
        found += [f"nodes have {last}"] if len(set(last)) > 1 else []
        assert_none(found + check_tables(tables_of(cluster)))


def a_profile(node):
    base = json.loads(node.request("GET", "/v1/model-profiles/default")[2])["base_url"]
    node.json("POST", "/v1/model-profiles", {"name": "shared", "model": "0-nobody", "base_url": base},
              {"Idempotency-Key": "made"}, expect=201)
    return Shared("/v1/model-profiles/shared", "PUT", "model", True)


def a_memory(node):
    made = node.json("POST", "/v1/memories", {"text": "0-nobody"}, {"Idempotency-Key": "made"}, expect=201)
    return Shared(f"/v1/memories/{made['memory_id']}", "PATCH", "text", False)


def two_admins():
    """two admins change one profile through two nodes while its owner is killed: no write that was acknowledged is lost"""
    two_change(a_profile)


def two_change_a_memory():
    """two change one memory through two nodes while its owner is killed: no write that was acknowledged is lost"""
    two_change(a_memory)


def keys_over_kills():
    """keys made, used and taken back through other nodes while owners are killed: one that was taken back opens nothing"""
    rng = random.Random(SEED)
    with a_cluster(brokers=1) as cluster:
        made = gone = 0
        end, failed = threading.Event(), []
        kills = threading.Thread(target=kills_until, args=(cluster, rng, end, failed))
        kills.start()
        try:
            until = time.monotonic() + 10 * ROUNDS
            while time.monotonic() < until:
                key = repeat(cluster, rng, "POST", "/v1/keys", {"name": f"k{made}", "role": "user"}, 201)
                made += 1
                for node in cluster.alive():
                    opens(node, key["key"], True)
                if made % 2:
                    repeat(cluster, rng, "DELETE", f"/v1/keys/{key['key_id']}", None, 204, also=404)
                    gone += 1
                    for node in cluster.alive():
                        opens(node, key["key"], False)
                time.sleep(0.1)
        finally:
            end.set()
            kills.join()
        if failed:
            raise failed[0]
        cluster.wait_for(len(cluster.nodes))
        tables = tables_of(cluster)
        print(f"  {made} keys made, {gone} taken back", flush=True)
        assert_none(check_tables(tables))
        assert len(tables["node-1"]["keys"]) == made - gone, f"{len(tables['node-1']['keys'])} keys, {made - gone} are left"


def opens(node, key, wanted, within_s=5):
    """A node that cannot be asked, or is just not able to say, says nothing; one that reads behind has so long."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            status = node.request("GET", "/v1/sessions", key=key)[0]
        except OSError:
            return
        if status == 503 or (status == 200) == wanted:
            return
        what = "does not know a key that was made" if wanted else "takes a key that was taken back"
        assert time.monotonic() < deadline, f"{node.name} {what} {within_s} s ago: {status}"
        time.sleep(0.1)


def kills_until(cluster, rng, end, failed):
    try:
        while not end.wait(1):
            victim = owner_of_documents(cluster, rng)
            victim.kill()
            time.sleep(5)
            victim.start()
            cluster.wait_for(len(cluster.nodes))
    except Exception as why:
        failed.append(why)


def repeat(cluster, rng, method, path, body, wanted, also=None):
    """As a client does it: with one key at any node until it is done. `also` is as good from the second time on."""
    key, deadline, tries = str(uuid.uuid4()), time.monotonic() + 60, 0
    while True:
        tries += 1
        try:
            status, _, text = rng.choice(cluster.nodes).request(method, path, body, {"Idempotency-Key": key})
            if status == wanted or (tries > 1 and status == also):
                return json.loads(text) if text and status < 400 else None
            assert status in (429, 503), (method, path, status, text[:300])
        except OSError:
            pass
        assert time.monotonic() < deadline, f"{method} {path} was never done"
        time.sleep(0.05)


class CountingServer:
    """An MCP server with one tool that must not run twice: it notes each time that it runs, and takes its time."""

    def __init__(self):
        self.ran, outer = [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                results = {
                    "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}},
                    "tools/list": {"tools": [{"name": "pay", "description": "Pays.", "inputSchema": {
                        "type": "object", "required": ["bill"], "properties": {"bill": {"type": "string"}}}}]}}
                if body["method"] == "tools/call":
                    outer.ran.append(body["params"]["arguments"]["bill"])
                    time.sleep(random.uniform(0.1, 1.5))
                    result = {"content": [{"type": "text", "text": "paid"}]}
                else:
                    result = results[body["method"]]
                text = json.dumps({"jsonrpc": "2.0", "id": body["id"],
                                   "result": {"resultType": "complete", **result}}).encode()
                try:
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except OSError:
                    pass  # whoever called is dead

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/mcp"


def paying(speaker, number, rng):
    bill = f"{speaker}-{number}"
    return (f"[[rehearsal delay_ms=5 tool=mcp.till.pay inputs={quote(json.dumps({'bill': bill}), safe='')}]] pay {bill}",
            None, rng.uniform(0.5, 2))


def tools_over(fault):
    till = CountingServer()
    with tempfile.TemporaryDirectory(prefix="soma-test-") as folder:
        file = os.path.join(folder, "mcp.toml")
        with open(file, "w") as out:
            out.write(f'[servers.till]\nurl = "{till.url}"\nenable = ["pay"]\n')
        with a_load(brokers=1, turn=paying, settings=[f"mcp.file={file}"],
                    env={"GATEWAY_ENC_KEY": "11" * 32}) as (cluster, load):
            for _ in range(ROUNDS):
                load.wait_for_more()
                victim = pick_owner(cluster, load, load.rng)
                fault(victim)
                cluster.wait_for(len(cluster.nodes))
            load.judge(ran=lambda: list(till.ran))
            print(f"  paid {len(till.ran)} bills, each once", flush=True)
            assert till.ran, "nothing was paid"


def killed(victim):
    victim.kill()
    time.sleep(6)
    victim.start()


def stopped(victim):
    victim.pause()
    time.sleep(12)
    victim.go_on()
    time.sleep(2)


def tools_over_kills():
    """tools that may not run twice, and their owners killed: each ran once at most, and has one result"""
    tools_over(killed)


def tools_over_stops():
    """tools that may not run twice, and their owners stopped for 12 s: each ran once at most, and has one result"""
    tools_over(stopped)


run_faults([two_admins, two_change_a_memory, keys_over_kills, tools_over_kills, tools_over_stops])
