#!/usr/bin/env python3
"""Brokers end and begin again under running nodes, and nodes beside them: no partition stops, what was
acknowledged is there once, and appends go on by themselves.

  broker_restarts_test.py REPLICA_NODE
"""
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "components", "kafka"))
import kafka_broker
from takeover_test import Node, acks_again, check, settle

RESTARTS = int(os.environ.get("SOMA_RESTARTS", "3"))


def main():
    why = kafka_broker.missing()
    if why:
        print(f"skipped: {why}")
        return 77
    # A broker that is killed keeps what it has written to its files.
    folder = tempfile.mkdtemp(prefix="soma-kafka-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        with kafka_broker.Broker(os.path.join(folder, "broker")) as broker:
            os.environ["SOMA_TEST_KAFKA"] = broker.address
            topic = f"restarts.{os.getpid()}"
            nodes = [Node(sys.argv[1], topic, "a", folder, 0), Node(sys.argv[1], topic, "b", folder, 1)]
            for node in nodes:
                node.start()
            acks_again(nodes[0], time.monotonic())
            took = []
            for n in range(RESTARTS):
                broker.kill()
                time.sleep((0.2, 1.5, 6)[n % 3])  # shorter and longer than a delivery may take
                if n % 2 == 1:  # one that begins while its brokers do
                    nodes[1].kill()
                since = time.monotonic()
                broker.start()
                if n % 2 == 1:
                    nodes[1].start()
                until = time.monotonic() + 60
                while max(node.last_ack for node in nodes) < since:
                    assert time.monotonic() < until, f"nobody acknowledges: {[dict(n.refusals) for n in nodes]}"
                    time.sleep(0.01)
                took.append(max(node.last_ack for node in nodes) - since)
            print("appends again after", " ".join(f"{t:.1f} s" for t in took))
            time.sleep(1)
            history = settle(nodes)
            acknowledged, events = check(history, nodes)
            for node in nodes:
                node.say("quit")
                assert node.process.wait(40) == 0
            print(f"{acknowledged} acknowledged, {events} there, each once; 1 passed, 0 failed")
            return 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
