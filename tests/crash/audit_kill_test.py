"""kill -9 while records are written: the chain is right after every start, each request that was
answered has its one record, and none of those that were not has two."""

import collections
import json
import os
import random
import sys
import threading
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from audit_records import audit_records, soma_audit
from node_under_test import Node, Rehearsal, run_tests

KILLS = int(os.environ.get("SOMA_KILLS", "12"))
SEED = int(os.environ.get("SOMA_SEED", random.randrange(1 << 30)))
WRITERS = 4


class Writer(threading.Thread):
    """Makes sessions until it is told to stop; keeps what was asked for and what was answered."""

    def __init__(self, node, rng):
        super().__init__(daemon=True)
        self.node, self.rng = node, rng
        self.asked, self.answered, self.stopping = set(), set(), False
        self.start()

    def run(self):
        while not self.stopping:
            request_id = uuid.UUID(int=self.rng.getrandbits(128)).hex
            self.asked.add(request_id)
            try:
                if self.node.request("POST", "/v1/sessions", {},
                                     {"X-Request-ID": request_id})[0] == 201:
                    self.answered.add(request_id)
            except OSError:
                threading.Event().wait(0.01)


def killed_while_writing():
    print(f"seed {SEED}, {KILLS} kills", flush=True)
    rng = random.Random(SEED)
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url, settings=["audit.segment_bytes=65536", "audit.sign_s=1"]).start()
    head = os.path.join(node.data_dir, "kept-head.json")
    try:
        writers = [Writer(node, random.Random(rng.getrandbits(64))) for _ in range(WRITERS)]
        for kill in range(KILLS):
            threading.Event().wait(rng.uniform(0.1, 1.0))
            if kill == 1:
                with open(head, "w") as file:
                    json.dump(node.json("GET", "/v1/admin/audit/head", expect=200), file)
            node.kill()
            node.start()
            status, out, err = soma_audit(node, "verify", *(["--head", head] if kill > 1 else []))
            assert status == 0, f"after kill {kill}: {out}{err}"
        for one in writers:
            one.stopping = True
        for one in writers:
            one.join(30)
        assert node.stop() == 0
        status, out, err = soma_audit(node, "verify")
        assert status == 0, out + err
        count = collections.Counter(r["request_id"] for r in audit_records(node)
                                    if r.get("operation") == "create_session")
        interrupted = sum(r.get("outcome") == "interrupted" for r in audit_records(node))
        asked = set().union(*(one.asked for one in writers))
        answered = set().union(*(one.answered for one in writers))
        print(f"{len(answered)} answered, {len(count)} recorded, {interrupted} interrupted; {out}",
              flush=True)
        assert set(count) <= asked
        assert all(n == 1 for n in count.values()), "a request has two records"
        lost = answered - set(count)
        assert not lost, f"{len(lost)} answered requests have no record"
    finally:
        if node.process.poll() is None:
            node.kill()
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(run_tests([killed_while_writing]))
