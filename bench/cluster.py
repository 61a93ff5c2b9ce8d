"""What a cluster of three nodes over real Kafka costs, and how soon it takes over: processes of this machine, over HTTP.

    python3 bench/cluster.py takeover [--kills 20] [--stops 3]   # from the kill to readers' next delta
    python3 bench/cluster.py acks                                # one append's acknowledgement beside the broker's there and back
    python3 bench/cluster.py appends [--connections 64]          # appends/s, CPU an append, how far followers are behind
    python3 bench/cluster.py all

`--brokers 3` is three brokers and three copies. Prints a table; --json FILE keeps the figures. Clients are Python, each
node's a process; brokers, nodes and clients share the machine, so what is told is of all together. Wants
`./dev test` to have been run once: it installs Kafka.
"""

import argparse
import json
import multiprocessing
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "support"))
from cluster_faults import a_load, percentile, pick_owner
from cluster_under_test import Cluster, missing
from node_under_test import ADMIN_KEY, Node, Rehearsal

TICKS = os.sysconf("SC_CLK_TCK")
WARM_UP_S, STOPPED_S = 2, 20
figures = []


def tell(what, value, unit, wished=None):
    figures.append({"what": what, "value": value, "unit": unit, "wished": wished})
    print(f"| {what} | {value:,.2f} {unit} | {wished or ''} |", flush=True)


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


# ---- takeover ----

def takeover(args):
    for name, times, fault, wished in (("SIGKILL", args.kills, kill, "≤ 1,500 / 3,000"),
                                       ("SIGSTOP", args.stops, stop_for_a_while, "≤ 8,000")):
        waits = []
        if not times:
            continue
        with a_load(sessions=8, brokers=args.brokers) as (cluster, load):
            for _ in range(times):
                load.wait_for_more(4)
                time.sleep(load.rng.uniform(0.5, 2))
                owner = pick_owner(cluster, load, load.rng)
                owned = {s.session for s in load.speakers if cluster.owner_of(s.session) is owner}
                elsewhere = [r for r in load.readers if not r.hops and r.node is not owner and r.session in owned]
                moment = time.monotonic()
                fault(owner)
                waits += load.waits_after(moment, elsewhere)
                cluster.wait_for(len(cluster.nodes))
            load.judge()
        tell(f"takeover after {name}, to the next delta at readers elsewhere, {len(waits)} waits: p50",
             percentile(waits, 0.5), "ms", wished)
        tell("… p99", percentile(waits, 0.99), "ms")
        tell("… longest", max(waits, default=0), "ms")


def kill(owner):
    owner.kill()
    time.sleep(6)
    owner.start()


def stop_for_a_while(owner):
    owner.pause()
    time.sleep(STOPPED_S)
    owner.go_on()
    time.sleep(2)


# ---- appends ----

def request_text(port, session, size=200):
    body = json.dumps({"name": "bench", "data": {"text": "x" * size}}).encode()
    return (f"POST /v1/sessions/{session}/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Authorization: Bearer {ADMIN_KEY}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def answered(text):
    """Bytes of the answer that is whole at the beginning; 0: none is. An answer that is no 2xx is an error."""
    end = text.find(b"\r\n\r\n")
    if end < 0:
        return 0
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", text[:end])
    whole = end + 4 + (int(length.group(1)) if length else 0)
    if len(text) < whole:
        return 0
    if not text.startswith(b"HTTP/1.1 2"):
        raise RuntimeError(text[:300])
    return whole


def append_load(port, sessions, begin_at, seconds, out):
    """A closed loop: a connection a session, each sends when it was answered. Its own process."""
    poll, connections = select.epoll(), {}
    for session in sessions:
        one = socket.create_connection(("127.0.0.1", port))
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connections[one.fileno()] = [one, request_text(port, session), b"", 0.0]
        poll.register(one.fileno(), select.EPOLLIN)
    time.sleep(max(0, begin_at - time.monotonic()))
    latencies, errors, counted_from = [], 0, begin_at + WARM_UP_S
    for entry in connections.values():
        entry[3] = time.monotonic()
        entry[0].sendall(entry[1])
    until = counted_from + seconds
    while (now := time.monotonic()) < until:
        for fd, _ in poll.poll(until - now):
            entry = connections[fd]
            entry[2] += entry[0].recv(65536)
            try:
                whole = answered(entry[2])
            except RuntimeError as why:
                errors += 1
                if errors == 1:
                    print(f"  refused: {why}", file=sys.stderr, flush=True)
                entry[2], whole = b"", 1
            if not whole:
                continue
            entry[2] = entry[2][whole:]
            now = time.monotonic()
            if now >= counted_from:
                latencies.append(now - entry[3])
            entry[3] = now
            entry[0].sendall(entry[1])
    out.send((latencies, errors))


def new_session(node):
    return node.json("POST", "/v1/sessions", {"title": "bench"}, expect=201)["session_id"]


def load_nodes(plan, seconds):
    """plan: [(node, sessions)]. (acknowledgements/s, latencies in ms, errors)"""
    begin_at, running = time.monotonic() + 1, []
    for node, sessions in plan:
        mine, its = multiprocessing.Pipe()
        process = multiprocessing.Process(target=append_load, args=(node.port, sessions, begin_at, seconds, its))
        process.start()
        running.append((process, mine))
    latencies, errors = [], 0
    for process, mine in running:
        found = mine.recv()
        latencies += found[0]
        errors += found[1]
        process.join()
    return len(latencies) / seconds, [one * 1000 for one in latencies], errors


class Lag(threading.Thread):
    """When the same events of a session come at its owner and at another node: how far the other is behind."""

    def __init__(self, owner, follower, session):
        super().__init__(daemon=True)
        self.seen = ({}, {})
        for node, seen in zip((owner, follower), self.seen):
            threading.Thread(target=self.follow, args=(node, session, seen), daemon=True).start()

    @staticmethod
    def follow(node, session, seen):
        one = socket.create_connection(("127.0.0.1", node.port))
        one.sendall((f"GET /v1/session/{session}/events?after=end HTTP/1.1\r\nHost: 127.0.0.1:{node.port}\r\n"
                     f"Authorization: Bearer {ADMIN_KEY}\r\n\r\n").encode())
        rest = b""
        while piece := one.recv(1 << 16):
            now = time.monotonic()
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line.startswith(b"id: "):
                    seen[line] = now

    def behind_ms(self):
        owner, follower = self.seen
        return [max(0.0, (at - owner[one]) * 1000) for one, at in list(follower.items()) if one in owner]


def measure(name, cluster, plan, args, processes, wished=None, lags=()):
    before = [cpu_seconds(one) for one in processes]
    begun = time.monotonic()
    rate, latencies, errors = load_nodes(plan, args.seconds)
    share = args.seconds / (time.monotonic() - begun)
    used = sum(cpu_seconds(one) for one in processes) - sum(before)
    tell(f"{name}: appends/s", rate, "/s", wished)
    tell("… acknowledgement p50", percentile(latencies, 0.5), "ms")
    tell("… p99", percentile(latencies, 0.99), "ms")
    tell("… CPU of all nodes an append", 1e6 * used * share / max(1.0, rate * args.seconds), "µs")
    if cluster:
        brokers = [one.process for one in cluster.brokers.all]
        tell("… (brokers used so far in all)", sum(cpu_seconds(one) for one in brokers), "s")
    if errors:
        tell("… refused", errors, "")
    behind = [one for lag in lags for one in lag.behind_ms()]
    if behind:
        tell(f"… a follower behind its owner, {len(behind)} events: p50", percentile(behind, 0.5), "ms")
        tell("… p99", percentile(behind, 0.99), "ms", "≤ 200")


def embedded(args, rehearsal):
    node = Node(rehearsal.base_url).start()
    try:
        sessions = [new_session(node) for _ in range(args.connections)]
        measure(f"one process by itself, {args.connections} connections", None, [(node, sessions)], args, [node.process])
    finally:
        node.stop()


def appends(args):
    rehearsal = Rehearsal()
    try:
        embedded(args, rehearsal)
        for count in (1, 3):
            cluster = Cluster(rehearsal.base_url, nodes=count, brokers=args.brokers)
            try:
                cluster.start()
                processes = [node.process for node in cluster.nodes]
                made = [new_session(cluster.nodes[i % count]) for i in range(args.connections)]
                at = [cluster.owner_of(session) for session in made]
                direct = [(node, [s for s, owner in zip(made, at) if owner is node]) for node in cluster.nodes]
                direct = [one for one in direct if one[1]]
                lags = []
                if count > 1:
                    lags = [Lag(node, next(n for n in cluster.nodes if n is not node), sessions[0])
                            for node, sessions in direct]
                measure(f"{count} node{'s' * (count > 1)}, {args.brokers} broker(s), {args.connections} connections to owners",
                        cluster, direct, args, processes, "≥ 10,000" if count == 3 else None, lags)
                if count > 1:
                    some = [(node, made[i::count]) for i, node in enumerate(cluster.nodes)]
                    measure(f"… connections to any node", cluster, some, args, processes)
            finally:
                cluster.stop()
    finally:
        rehearsal.stop()


# ---- one append beside the broker ----

def broker_there_and_back(cluster, records=1000):
    """Kafka's own tool: written with acks=all and read, one after another; (p50, p99) in ms."""
    broker = cluster.brokers.all[0]
    cluster.brokers.topic_tool("--create", "--topic", "bench", "--partitions", "1", "--replication-factor",
                               str(len(cluster.brokers.all)))
    done = subprocess.run(broker.run("org.apache.kafka.tools.EndToEndLatency", "--bootstrap-server", broker.address,
                                     "--topic", "bench", "--num-records", str(records), "--producer-acks", "all",
                                     "--record-size", "300"), env=broker.env, capture_output=True, text=True, timeout=300)
    found = re.search(r"50th = ([\d.]+), 99th = ([\d.]+)", done.stdout)
    if not found:
        raise RuntimeError(f"EndToEndLatency: {done.stdout[-300:]} {done.stderr[-300:]}")
    return float(found.group(1)), float(found.group(2))


def acks(args):
    rehearsal = Rehearsal()
    cluster = Cluster(rehearsal.base_url, brokers=args.brokers)
    try:
        cluster.start()
        p50, p99 = broker_there_and_back(cluster)
        tell(f"the broker there and back ({args.brokers}; Kafka's EndToEndLatency, acks=all): p50", p50, "ms")
        tell("… p99", p99, "ms")
        session = new_session(cluster.nodes[0])
        owner = cluster.owner_of(session)
        other = next(node for node in cluster.nodes if node is not owner)
        for name, node, wished in (("an append at its owner, one after another: p50", owner, f"≤ {p50 + 2:.1f}"),
                                   ("… handed over by another node: p50", other, None)):
            _, latencies, _ = load_nodes([(node, [session])], args.seconds)
            tell(name, percentile(latencies, 0.5), "ms", wished)
            tell("… p99", percentile(latencies, 0.99), "ms")
    finally:
        cluster.stop()
        rehearsal.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["takeover", "acks", "appends", "all"])
    parser.add_argument("--brokers", type=int, default=1, choices=[1, 3])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--stops", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json")
    args = parser.parse_args()
    if why := missing():
        print(f"bench/cluster.py: {why}", file=sys.stderr)
        return 1
    with open("/proc/loadavg") as file:
        print(f"load average {file.read().split()[0]}\n\n| | measured | wished |\n|---|---:|---:|", flush=True)
    for what, run in (("takeover", takeover), ("acks", acks), ("appends", appends)):
        if args.what in (what, "all"):
            run(args)
    if args.json:
        with open(args.json, "w") as file:
            json.dump(figures, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
