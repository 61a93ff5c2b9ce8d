"""A node of a cluster over one real broker: a conversation as ever, kill -9 in the middle of an answer,
and the same message goes on after the start; what a node refuses to start with; what of a store is
whose. Skipped, with a line, where no broker can run."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(__file__)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "components", "kafka"))
import kafka_broker
from node_under_test import (BIN, Node, Reader, Rehearsal, assert_exactly_once, fold_texts, run_tests,
                             wait_until)

rehearsal = broker = None
names = iter(range(1000))


def new_node(cluster=None, partitions=4, found=True, **more):
    cluster = cluster or f"c{os.getpid()}-{next(names)}"
    return Node(rehearsal.base_url, settings=[
        f"kafka.brokers={broker.address}", "cluster.node=a", f"cluster.name={cluster}",
        f"cluster.partitions={partitions}", "cluster.unsafe_single_broker=true",
        "cluster.lease_ms=500", f"cluster.found={'true' if found else 'false'}"], **more)


def finals(events):
    return [e["payload"] for e in events
            if e["type"] == "message.assistant" and e["payload"]["final"]]


def a_conversation_over_a_kill():
    """kill -9 in the middle of answers: each goes on in the same message after the start, once"""
    node = new_node().start()
    sessions = [node.say("[[rehearsal words=120 delay_ms=20 unicode=1]]")["session_id"]
                for _ in range(6)]
    readers = [Reader(node, session) for session in sessions]
    for session in sessions:
        wait_until(lambda: any(e["type"] == "llm.delta" for e in node.events(session)), 20, "a delta")
    node.kill()
    began = time.monotonic()
    node.start()
    print(f"up again after {time.monotonic() - began:.1f} s", flush=True)
    for session, reader in zip(sessions, readers):
        wait_until(lambda: finals(node.events(session)), 60, "the answer")
        truth = node.events(session)
        assert_exactly_once(truth)
        answer, = finals(truth)
        assert fold_texts(truth)[answer["message_id"]] == answer["text"]
        requests = [e["payload"] for e in truth if e["type"] == "llm.request"]
        assert len({r["message_id"] for r in requests}) == 1 and len(requests) == 2
        last = truth[-1]["meta"]["event_id"]
        wait_until(lambda: reader.last_id == last, 30, "the reader")
        reader.stop()
        assert [e["meta"]["event_id"] for e in reader.events] == [
            e["meta"]["event_id"] for e in truth] and reader.resets == 0
    # What the node wrote beside sessions is there, too.
    key = node.json("POST", "/v1/keys", {"name": "k", "role": "user"}, expect=201)
    assert node.stop() == 0
    node.start()
    assert node.request("GET", "/v1/sessions", key=key["key"])[0] == 200
    listed = {s["session_id"] for s in node.json("GET", "/v1/sessions", expect=200)["sessions"]}
    assert set(sessions) <= listed
    assert node.stop() == 0


def its_folder_lost():
    """a node whose folder is gone reads all of it from the logs again"""
    cluster = f"lost{os.getpid()}"
    node = new_node(cluster).start()
    session = node.say("[[rehearsal words=5]]")["session_id"]
    wait_until(lambda: finals(node.events(session)), 30, "the answer")
    before = node.events(session)
    assert node.stop() == 0
    shutil.rmtree(os.path.join(node.data_dir, "store"), ignore_errors=True)
    other = new_node(cluster).start()
    after = other.events(session)
    assert after[:len(before)] == before
    other.say("[[rehearsal words=5]]", session=session)
    wait_until(lambda: len(finals(other.events(session))) == 2, 30, "the next answer")
    assert other.stop() == 0


def what_it_does_not_start_with():
    """another number of partitions, a topic that needs three brokers, a store of its own"""
    def refused(node):
        process = subprocess.run([os.path.join(BIN, "soma"), "serve", "--data-dir", node.data_dir,
                                  "--port", "0", *sum((["--set", s] for s in node.settings), [])],
                                 env=node.env, capture_output=True, text=True, timeout=60)
        assert process.returncode != 0
        return process.stderr

    cluster = f"shape{os.getpid()}"
    node = new_node(cluster).start()
    assert node.stop() == 0
    assert "4 partitions" in refused(new_node(cluster, partitions=5))
    strict = new_node()
    strict.settings = [s for s in strict.settings if "unsafe" not in s]
    assert "cluster.unsafe_single_broker" in refused(strict)
    # Other brokers than before, and an empty folder: no new cluster is begun unless it is asked for.
    unfounded = new_node(found=False)
    began = time.monotonic()
    assert "cluster.found" in refused(unfounded)
    assert time.monotonic() - began < 30
    nameless = new_node()
    nameless.settings = [s for s in nameless.settings if not s.startswith("cluster.node")]
    assert "cluster.node" in refused(nameless)
    mine = Node(rehearsal.base_url).start()
    mine.say("[[rehearsal words=2]]")
    assert mine.stop() == 0
    taken = new_node(data_dir=mine.data_dir)
    assert "sessions of its own" in refused(taken)
    alone = Node(rehearsal.base_url, data_dir=node.data_dir)
    assert "kafka.brokers" in refused(alone)


def the_broker_away():
    """what cannot be written is refused in time, what is there can be read, and it goes on by itself"""
    node = new_node()
    node.settings += ["cluster.commit_timeout_ms=2000"]
    node.start()
    session = node.say("[[rehearsal words=3]]")["session_id"]
    wait_until(lambda: finals(node.events(session)), 30, "the answer")
    before = node.events(session)
    broker.kill()
    began = time.monotonic()
    status, headers, _ = node.request("POST", "/v1/session/message",
                                      {"session_id": session, "message": "lost?"})
    took = time.monotonic() - began
    assert status == 503 and took < 10, (status, took)
    assert node.events(session) == before
    broker.start()

    def goes_on():
        return node.request("POST", "/v1/session/message",
                            {"session_id": session, "message": "[[rehearsal words=3]]"})[0] == 202

    wait_until(goes_on, 60, "appends again")
    wait_until(lambda: len(finals(node.events(session))) >= 2, 60, "the answer")
    assert_exactly_once(node.events(session))
    print(f"refused after {took:.1f} s", flush=True)
    assert node.stop() == 0


if __name__ == "__main__":
    why = kafka_broker.missing()
    if why:
        print(f"skipped: {why}\n0 passed, 0 failed")
        sys.exit(0)
    folder = tempfile.mkdtemp(prefix="soma-kafka-")
    rehearsal = Rehearsal()
    broker = kafka_broker.Broker(os.path.join(folder, "broker")).start()
    try:
        status = run_tests([a_conversation_over_a_kill, its_folder_lost, what_it_does_not_start_with,
                            the_broker_away])
    finally:
        rehearsal.stop()
        broker.kill()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(status)
