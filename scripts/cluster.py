#!/usr/bin/env python3
"""Three nodes over Kafka on this machine, for looking at: `./dev cluster [BROKERS]` (1 or 3; 1). Prints the
addresses, runs until Ctrl-C, ends all it started and removes what they kept."""

import os
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tests", "support"))
from cluster_under_test import Cluster, missing
from node_under_test import ADMIN_KEY, Rehearsal


def main():
    if why := missing():
        print(f"cluster: {why}", file=sys.stderr)
        return 1
    brokers = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    end = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: end.set())
    rehearsal = None if os.environ.get("SOMA_LLM_BASE_URL") else Rehearsal()
    cluster = Cluster(rehearsal.base_url if rehearsal else os.environ["SOMA_LLM_BASE_URL"], brokers=brokers)
    if not rehearsal:
        for node in cluster.nodes:
            node.env["SOMA_LLM_MODEL"] = os.environ.get("SOMA_LLM_MODEL", "")
    try:
        cluster.start()
        print(f"Kafka at {cluster.brokers.addresses}; the API key is {ADMIN_KEY}")
        for node in cluster.nodes:
            print(f"{node.name}  http://127.0.0.1:{node.port}/ui/index.html  pid {node.process.pid}  "
                  f"log {node.log.name}", flush=True)
        print("kill -9 a node's pid to see another take over; Ctrl-C ends all", flush=True)
        end.wait()
    finally:
        cluster.stop()
        if rehearsal:
            rehearsal.stop()
    return 0


sys.exit(main())
