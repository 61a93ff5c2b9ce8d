"""Owners that are killed, or stopped for a while, under sessions that stream, over and over: nothing lost, nothing
twice, every answer finished, nobody is reset (tests/support/cluster_checker.py). Says how long readers
waited, from the fault to the next delta.

SOMA_KILLS, SOMA_PAUSES, SOMA_SESSIONS, SOMA_BROKERS, SOMA_SEED: how much, and which."""

import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cluster_faults import a_load, percentile, pick_owner, run_faults

KILLS = int(os.environ.get("SOMA_KILLS", "10"))
PAUSES = int(os.environ.get("SOMA_PAUSES", "2"))
BROKERS = int(os.environ.get("SOMA_BROKERS", "1"))
KILL_MS, STOP_MS = 3_000, 8_000  # what 99 of 100 readers wait at most
STOPPED_S = 20


def over_and_over(name, how_often, fault, limit_ms):
    waits, rng = [], random.Random()
    with a_load(brokers=BROKERS) as (cluster, load):
        rng.seed(load.rng.random())
        for n in range(how_often):
            load.wait_for_more(len(load.speakers) // 3 + 1)
            time.sleep(rng.uniform(0.5, 2))
            owner = pick_owner(cluster, load, rng)
            elsewhere = [r for r in load.readers if not r.hops and r.node is not owner and
                         cluster.owner_of(r.session, asked=r.node) is owner]
            moment = time.monotonic()
            fault(owner)
            here = load.waits_after(moment, elsewhere)
            waits += here
            print(f"  {name} {n + 1} of {owner.name}: {len(here)} readers waited {max(here, default=0):.0f} ms at most",
                  flush=True)
            cluster.wait_for(len(cluster.nodes))
        load.judge()
    print(f"{name}: {len(waits)} waits, p50 {percentile(waits, 0.5):.0f} ms, p99 {percentile(waits, 0.99):.0f} ms, "
          f"longest {max(waits, default=0):.0f} ms", flush=True)
    assert waits, "no fault met a reader of what it was about"
    assert percentile(waits, 0.99) <= limit_ms, f"p99 {percentile(waits, 0.99):.0f} ms, above {limit_ms}"


def kill(owner):
    owner.kill()
    time.sleep(6)
    owner.start()


def stop_for_a_while(owner):
    owner.pause()
    time.sleep(STOPPED_S)
    owner.go_on()
    time.sleep(2)


def owners_killed():
    """owners killed in the middle of answers: nothing lost, nothing twice, every answer finished"""
    over_and_over("kill", KILLS, kill, KILL_MS)


def owners_stopped():
    """owners stopped for 20 s and continued: nothing of a zombie counts"""
    over_and_over("stop", PAUSES, stop_for_a_while, STOP_MS)


run_faults([owners_killed, owners_stopped])
