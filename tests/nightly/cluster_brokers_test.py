"""What happens to Kafka under three nodes with sessions that stream: brokers killed one by one, two of three away, all
away at once, slow ones, and the topic deleted and made anew. The checker is tests/support/cluster_checker.py."""

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cluster_checker import assert_none
from cluster_faults import a_cluster, a_load, run_faults
from cutting_proxy import delay
from node_under_test import Reader, wait_until

TOPIC = "session.events"
DISK_BYTES = 512 << 20


def each_broker_killed():
    """each of three brokers killed in turn, so each partition's leader and the controller: nothing lost, nothing twice"""
    with a_load(brokers=3) as (cluster, load):
        for broker in cluster.brokers.all:
            broker.kill()
            time.sleep(8)
            load.wait_for_more(seconds=90)
            cluster.brokers.start([broker])
            cluster.brokers.wait_in_sync()
        load.judge()


def two_brokers_away():
    """two of three brokers away: 503 with Retry-After in time, streams stay open and what is there is read; all goes on"""
    with a_load(brokers=3, settings=["cluster.commit_timeout_ms=4000", "cluster.takeover_wait_ms=4000"]) as (cluster, load):
        fixed = [reader for reader in load.readers if not reader.hops]
        before = [reader.connections for reader in fixed]
        away = cluster.brokers.all[:2]
        for broker in away:
            broker.kill()
        time.sleep(6)  # what was under way ends
        for node, speaker in zip(cluster.nodes, load.speakers):
            began = time.monotonic()
            status, headers, text = node.request("POST", "/v1/session/message",
                                                 {"message": "not now"}, {"Idempotency-Key": f"away-{node.name}"})
            took = time.monotonic() - began
            print(f"  {node.name}: {status} {json.loads(text).get('code')} after {took:.1f} s", flush=True)
            assert status == 503 and int(headers["Retry-After"]) > 0, (status, headers, text[:300])
            assert took < 15, f"{took:.1f} s"
            began = time.monotonic()
            events = node.json("GET", f"/v1/sessions/{speaker.session}/events?limit=5", expect=200)["events"]
            assert len(events) == 5 and time.monotonic() - began < 2, "what is there is read"
        time.sleep(10)
        assert [reader.connections for reader in fixed] == before, "streams did not stay open"
        cluster.brokers.start(away)
        cluster.brokers.wait_in_sync()
        load.wait_for_more(seconds=90)
        assert not stopped_partitions(cluster), stopped_partitions(cluster)
        # Its messages are not the speakers': under these keys they are there once at most, and may be.
        load.judge()


def all_brokers_away():
    """all brokers killed at once and started again: no partition stops for good, nothing lost that was acknowledged"""
    with a_load(brokers=3) as (cluster, load):
        for broker in cluster.brokers.all:
            broker.kill()
        time.sleep(15)
        cluster.brokers.start()
        cluster.brokers.wait_in_sync()
        load.wait_for_more(seconds=90)
        assert not stopped_partitions(cluster), stopped_partitions(cluster)
        load.judge()


def slow_brokers():
    """what brokers answer comes 500 ms late for 30 s: slower answers, and no partition changes hands"""
    with a_load(brokers=1, cuts=True) as (cluster, load):
        before = cluster.owners()
        cluster.proxy.rules(delay("broker-*", "node-*", 500))
        for _ in range(3):
            time.sleep(10)
            load.wait_for_more(seconds=60)
        after = cluster.owners()
        cluster.proxy.rules()
        moved = [i for i, (a, b) in enumerate(zip(before, after)) if a != b]
        print(f"  partitions that changed hands: {moved}", flush=True)
        load.judge()
        assert not moved, f"partitions {moved} changed hands: {before} to {after}"


def broker_disk_full():
    """the disk of one of three brokers fills up: it ends, the others go on, and it comes back when there is room"""
    if os.geteuid() != 0:
        print("skipped: only root may mount a small disk")
        return
    small = []

    def prepare(cluster):
        small.append(os.path.join(cluster.brokers.all[0].folder, "data"))
        os.makedirs(small[0])
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", small[0]], check=True)
    try:
        with a_load(brokers=3, prepare=prepare) as (cluster, load):
            broker, filler = cluster.brokers.all[0], os.path.join(small[0], "filler")
            fill(filler)
            wait_until(lambda: broker.process.poll() is not None, 120, "the broker to end")
            print(f"  the broker ended with {broker.process.returncode}", flush=True)
            load.wait_for_more(seconds=120)
            broker.kill()
            os.remove(filler)
            cluster.brokers.start([broker])
            cluster.brokers.wait_in_sync()
            load.judge()
    finally:
        for one in small:
            subprocess.run(["umount", "-l", one], check=False)


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            pass


def stopped_partitions(cluster):
    return {node.name: [(one["partition"], one["stopped"]) for one in node.cluster()["partitions"] if "stopped" in one]
            for node in cluster.alive() if any("stopped" in one for one in node.cluster()["partitions"])}


def topic_made_anew():
    """the topic deleted and made anew: every node stops, says so, goes on reading, and founds no other log in its place"""
    with a_cluster(brokers=1) as cluster:
        sessions = [node.say("[[rehearsal words=5 delay_ms=5]]")["session_id"] for node in cluster.nodes]
        for node, session in zip(cluster.nodes, sessions):
            wait_until(lambda: any(e["type"] == "message.assistant" for e in node.events(session)), 30, "the answer")
        time.sleep(1)
        before = {session: cluster.nodes[0].events(session) for session in sessions}
        readers = [Reader(node, session) for node, session in zip(cluster.nodes, sessions)]
        made = cluster.brokers.topic_tool("--describe", "--topic", TOPIC)
        cluster.brokers.topic_tool("--delete", "--topic", TOPIC)
        time.sleep(3)
        options = made.split("Configs: ")[1].split("\n")[0].split(",")
        cluster.brokers.topic_tool("--create", "--topic", TOPIC, "--partitions", str(made.count("\tPartition: ")),
                                   "--replication-factor", "1",
                                   *sum((["--config", one.strip()] for one in options if "=" in one), []))

        def all_stopped():
            seen = stopped_partitions(cluster)
            return len(seen) == len(cluster.nodes) and all(len(one) == len(cluster.owners()) for one in seen.values())
        try:
            wait_until(all_stopped, 60, "all partitions to stop at all nodes")
        except AssertionError as why:
            raise AssertionError(f"{why}: stopped are {stopped_partitions(cluster)}") from None
        print(f"  {next(iter(stopped_partitions(cluster).values()))[0]}", flush=True)
        found = []
        for node, session in zip(cluster.nodes, sessions):
            if "cluster.partition_stopped" not in node.log_text():
                found.append(f"{node.name} does not say so in its log")
            status, headers, text = node.request("POST", "/v1/session/message", {"session_id": session, "message": "x"})
            if status != 503 or "Retry-After" not in headers:
                found.append(f"{node.name}: a message is answered with {status} {text[:200]}")
            found += [f"{node.name}, stopped: {why}" for why in not_read(node, before)]
        found += [f"a reader was reset at {reader.node.name}" for reader in readers if reader.resets]
        for reader in readers:
            reader.stop()
        # A node that is started again does not take the new topic for its own either.
        node = cluster.nodes[0]
        node.kill()
        try:
            node.start(seconds=30)
            if node.name not in stopped_partitions(cluster):
                found.append(f"{node.name}, started again, took the new topic for the old")
            found += [f"{node.name}, started again: {why}" for why in not_read(node, before)]
        except AssertionError as why:
            found.append(f"{node.name} does not start again, so what is there is not read: {str(why)[-300:]}")
        assert_none(found)


def not_read(node, before):
    for session, events in before.items():
        try:
            if node.events(session) != events:
                yield f"{session} reads otherwise than before"
        except (OSError, AssertionError) as why:
            yield str(why)[:300]


run_faults([each_broker_killed, two_brokers_away, all_brokers_away, broker_disk_full, slow_brokers,
            topic_made_anew])
