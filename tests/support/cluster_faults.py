"""What the fault tests of a cluster share: a cluster under load, and how they are chosen and skipped. A fault is a
function with a sentence; `X_test.py NAME…` runs those of these names."""

import contextlib
import os
import random
import signal
import sys
import time

from cluster_load import Load
from cluster_under_test import Cluster, missing
from node_under_test import Rehearsal, run_tests

SESSIONS = int(os.environ.get("SOMA_SESSIONS", "6"))
SEED = int(os.environ.get("SOMA_SEED", random.randrange(1 << 30)))
# An attempt that ends with its owner is not the model's fault, and a test kills more of them than a turn stands.
ATTEMPTS = "turn.max_attempts=20"


@contextlib.contextmanager
def a_cluster(**how):
    """Three nodes over brokers, and their stand-in for a model. What they logged is told where the test fails.
    Started unless `start` is false; `prepare` gets it before."""
    rehearsal, start, prepare = Rehearsal(), how.pop("start", True), how.pop("prepare", None)
    cluster = Cluster(rehearsal.base_url, settings=[ATTEMPTS, *how.pop("settings", [])], **how)
    try:
        if prepare:
            prepare(cluster)
        if start:
            cluster.start()
        yield cluster
    except BaseException:
        for node in cluster.nodes:
            print(f"  {node.name} said at last:\n    " + "\n    ".join(last_lines(node)), flush=True)
        raise
    finally:
        cluster.stop()
        rehearsal.stop()


def last_lines(node, count=12):
    said = [line[:400] for line in node.log_text().splitlines() if line.startswith("{") and "unknown_variable" not in line]
    return [line for line in said if '"error"' in line][-count:] + said[-count:]


@contextlib.contextmanager
def a_load(sessions=SESSIONS, turn=None, **how):
    print(f"  seed {SEED}, {sessions} sessions, {how.get('brokers', 1)} brokers", flush=True)
    with a_cluster(**how) as cluster:
        with Load(cluster, random.Random(SEED), sessions, turn) as load:
            load.wait_for_more()
            yield cluster, load


def pick_owner(cluster, load, rng):
    """The owner of one of the sessions under way."""
    for _ in range(100):
        owner = cluster.owner_of(rng.choice(load.speakers).session)
        if owner:
            return owner
        time.sleep(0.1)
    raise AssertionError("no session has an owner")


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0


def ended(*_):
    raise SystemExit("ended from outside")


def run_faults(faults):
    # What was started ends with the test, also where that is ended.
    signal.signal(signal.SIGTERM, ended)
    if why := missing():
        print(f"skipped: {why}\n0 passed, 0 failed")
        sys.exit(0)
    wanted = sys.argv[1:]
    sys.exit(run_tests([one for one in faults if not wanted or one.__name__ in wanted]))
