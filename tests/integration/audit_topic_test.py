"""The door audit.events, over one real broker: all records of the chain in their order, over kills and while the
broker is away, byte for byte so that they can be verified. Skipped, with a line, where no broker can run."""

import glob
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(__file__)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "components", "kafka"))
import kafka_broker
import kafka_client
from node_under_test import BIN, Node, Rehearsal, run_tests, wait_until

PARTITIONS = 2
rehearsal = broker = None
names = iter(range(1000))


def new_node(*settings):
    cluster = f"au{os.getpid()}-{next(names)}"
    node = Node(rehearsal.base_url, settings=[
        "kafka.doors=audit.events", f"kafka.door_brokers={broker.address}", f"cluster.name={cluster}",
        "cluster.unsafe_single_broker=true", f"kafka.audit_partitions={PARTITIONS}", *settings])
    node.topic = cluster + ".audit.events"
    return node


def health(node):
    return json.loads(node.request("GET", "/v1/health")[2])["components"]["kafka"]


def chain_of(node):
    lines = []
    for path in sorted(glob.glob(os.path.join(node.data_dir, "audit", "[0-9]*.ndjson"))):
        with open(path, "rb") as file:
            lines += file.read().splitlines()
    return lines


def lines_of(node):
    """The payloads as they came; each is the chain's line."""
    lines, partitions = [], set()
    for record in kafka_client.read_all(broker.address, node.topic, PARTITIONS):
        whole = json.loads(record.value)
        assert whole["version"] == "v1" and whole["type"] == "audit.record"
        line = record.value[record.value.index(b'"payload":') + 10:-1]
        assert json.loads(line) == whole["payload"]
        key = f"{record.key.decode()}/{whole['payload']['seq']}"
        assert whole["meta"]["idempotency_key"] == key and record.header("idempotency_key").decode() == key
        assert whole["meta"]["created_at"] == whole["payload"]["at"]
        partitions.add(record.partition)
        lines.append(line)
    assert len(partitions) <= 1
    return lines


def check(node, may_repeat):
    """All of the chain is there, in order; what comes again comes from a place on and in order."""
    got, wanted = lines_of(node), chain_of(node)
    once, last = [], 0
    for line in got:
        seq = json.loads(line)["seq"]
        assert seq <= last + 1, f"{seq} after {last}: one is missing"
        assert may_repeat or seq == last + 1
        if seq == len(once) + 1:
            once.append(line)
        else:
            assert once[seq - 1] == line
        last = seq
    assert once == wanted, (len(once), len(wanted))
    return len(got) - len(once)


def work(node, count):
    for n in range(count):
        node.json("POST", "/v1/sessions", {"title": f"t {n}"}, expect=201)


def all_of_it():
    """every record, in order, byte for byte, so that it can be verified; a start goes on where it was"""
    node = new_node().start()
    work(node, 30)
    node.say("not in the audit [[rehearsal words=1]]")
    assert node.stop() == 0
    assert check(node, may_repeat=False) == 0
    lines = lines_of(node)
    assert b"not in the audit" not in b"".join(lines)
    path = os.path.join(node.data_dir, "from-kafka.ndjson")
    with open(path, "wb") as out:
        out.write(b"\n".join(lines) + b"\n")
    verified = subprocess.run([os.path.join(BIN, "soma"), "audit", "verify", path, "--data-dir", node.data_dir],
                              capture_output=True, text=True, timeout=60, env=node.env)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    node.start()
    work(node, 5)
    wait_until(lambda: health(node)["status"] == "ok", 30, "the door")
    assert node.stop() == 0
    assert check(node, may_repeat=False) == 0


def over_kills():
    """kill -9, six times: none is missing, and what comes again comes in order"""
    node = new_node("audit.segment_bytes=65536").start()
    for _ in range(6):
        work(node, random.randrange(20, 60))
        time.sleep(random.uniform(0, 0.3))
        node.kill()
        node.start()
    wait_until(lambda: health(node)["status"] == "ok", 30, "the door")
    assert node.stop() == 0
    print(f"{check(node, may_repeat=True)} of {len(chain_of(node))} came again", flush=True)


def the_broker_away():
    """while the broker is away nothing else waits, health says so, and all comes after it"""
    node = new_node().start()
    wait_until(lambda: health(node)["status"] == "ok" and health(node)["audit_sent"] > 0, 60, "the door")
    broker.kill()
    began = time.monotonic()
    work(node, 100)
    took = time.monotonic() - began
    wait_until(lambda: health(node)["status"] != "ok", 60, "health")
    print(f"100 in {took:.1f} s without a broker: {health(node)}", flush=True)
    began = time.monotonic()
    assert node.stop() == 0
    print(f"stopped within {time.monotonic() - began:.1f} s", flush=True)
    node.start()
    work(node, 10)
    broker.start()
    wait_until(lambda: health(node)["status"] == "ok" and health(node)["audit_waiting"] == 0, 90, "the rest")
    assert node.stop() == 0
    check(node, may_repeat=True)


if __name__ == "__main__":
    why = kafka_broker.missing()
    if why:
        print(f"skipped: {why}\n0 passed, 0 failed")
        sys.exit(0)
    folder = tempfile.mkdtemp(prefix="soma-kafka-")
    rehearsal = Rehearsal()
    broker = kafka_broker.Broker(os.path.join(folder, "broker")).start()
    tests = [all_of_it, over_kills, the_broker_away]
    if sys.argv[1:]:
        tests = [test for test in tests if test.__name__ in sys.argv[1:]]
    try:
        status = run_tests(tests)
    finally:
        rehearsal.stop()
        broker.kill()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(status)
