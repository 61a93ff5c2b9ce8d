"""A network that is cut under three nodes with sessions that stream: between one node and Kafka, between two nodes, one
way only. Through a proxy of ours (tests/support/cutting_proxy.py); the checker is tests/support/cluster_checker.py.
While it is cut, messages are accepted at the nodes that are whole, and every request ends in time."""

import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cluster_faults import a_load, pick_owner, run_faults
from cutting_proxy import hold, refuse
from node_under_test import wait_until

CUT_S = float(os.environ.get("SOMA_CUT_S", "15"))
TAKEN_OVER_S = 12  # from a cut to owners elsewhere: the lease, links and claims, and a busy machine
HANDS_MAX = 2  # times that a partition changes hands in a cut: to whoever claims it, and to whose it should then be
ANSWERED_S = 25  # within which every request ends, whatever is cut


def new_conversations(nodes, seconds, found):
    """Begins conversations at these nodes until the time is over; keeps (node, when, status, seconds)."""
    until = time.monotonic() + seconds

    def ask(node):
        while time.monotonic() < until:
            began = time.monotonic()
            try:
                status = node.request("POST", "/v1/session/message", {"message": "[[rehearsal words=2 delay_ms=1]]"})[0]
            except OSError:
                status = 0
            found.append((node.name, began, status, time.monotonic() - began))
            time.sleep(0.2)
    threads = [threading.Thread(target=ask, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def cut(rules, whole=lambda nodes, victim: [n for n in nodes if n is not victim], kafka=False, other=None):
    """`rules(victim, other)` says what is cut of the owner of a session under way; `whole` which nodes go on; with
    `kafka` the victim's partitions are others' in time."""
    with a_load(brokers=1, cuts=True, settings=["cluster.takeover_wait_ms=8000"]) as (cluster, load):
        victim = pick_owner(cluster, load, load.rng)
        other = next(node for node in cluster.nodes if node is not victim)
        third = next(node for node in cluster.nodes if node not in (victim, other))
        before = cluster.owners()
        began = time.monotonic()
        cluster.proxy.rules(*rules(victim.name, other.name))
        found = []
        asking = threading.Thread(target=new_conversations, args=(cluster.nodes, CUT_S, found))
        asking.start()
        watched = threading.Event()
        threading.Thread(target=tell_owners, args=(cluster, third, began, watched), daemon=True).start()
        taken = None
        if kafka:
            def is_away():
                owners = cluster.owners(asked=third)
                return owners and all(owner not in ("", victim.name) for owner, _ in owners)
            wait_until(is_away, TAKEN_OVER_S, f"what {victim.name} had to be another's")
            taken = time.monotonic() - began
        asking.join()
        during = cluster.owners(asked=third)
        watched.set()
        cluster.proxy.rules()
        good = {node.name: [one for one in found if one[0] == node.name and one[2] == 202] for node in cluster.nodes}
        slowest = max(one[3] for one in found)
        print(f"  {victim.name} cut for {CUT_S:.0f} s{f', taken over after {taken:.1f} s' if taken else ''}; accepted meanwhile "
              f"{ {name: len(those) for name, those in good.items()} }, refused "
              f"{ {node.name: len([1 for one in found if one[0] == node.name and one[2] != 202]) for node in cluster.nodes} }, "
              f"slowest {slowest:.1f} s; {victim.name} saw at last {owners_text(cluster.owners(asked=victim))}", flush=True)
        cluster.wait_for(len(cluster.nodes), 90)
        load.wait_for_more(seconds=90)
        assert slowest < ANSWERED_S, f"a request took {slowest:.1f} s"
        for node in whole(cluster.nodes, victim):
            late = [one for one in good[node.name] if one[1] > began + TAKEN_OVER_S]
            assert late, f"{node.name}, which is whole, accepted nothing from {TAKEN_OVER_S} s after the cut on"
        rose = {i: b - a for i, ((_, a), (_, b)) in enumerate(zip(before, during)) if b - a > HANDS_MAX}
        try:
            load.judge()
        finally:  # also where that fails: it is another thing
            if rose:
                print(f"  changed hands over and over: {rose} (partition: times)", flush=True)
        assert not rose, f"partitions changed hands over and over: {rose} (partition: times)"
        return before, during


def tell_owners(cluster, node, began, end):
    """Prints who owns what, as the node says, whenever that changes."""
    last = None
    while not end.wait(0.3):
        now = owners_text(cluster.owners(asked=node))
        if now and now != last:
            print(f"    {time.monotonic() - began:5.1f} s: owners {now}", flush=True)
        last = now or last


def owners_text(owners):
    return " ".join(owner.removeprefix("node-") or "-" for owner, _ in owners)


def node_and_kafka():
    """one node cut from Kafka, both ways: others take its partitions over, and serve"""
    cut(lambda a, b: [hold(a, "broker-*")], kafka=True)


def node_to_kafka():
    """one node cannot write to Kafka, and reads on: others take its partitions over"""
    cut(lambda a, b: [hold(a, "broker-*", both=False)], kafka=True)


def kafka_to_node():
    """one node writes to Kafka and hears nothing of it: others take its partitions over"""
    cut(lambda a, b: [hold("broker-*", a, both=False)], kafka=True)


def kafka_refuses():
    """one node's connections to Kafka are closed, over and over"""
    cut(lambda a, b: [refuse(a, "broker-*")], kafka=True)


def two_nodes():
    """two nodes that do not hear each other, and the third hears both: whom others hear keeps its partitions"""
    before, during = cut(lambda a, b: [hold(a, b)], whole=lambda nodes, victim: [])
    assert before == during, f"owners changed, {before} to {during}"


def one_way_between_nodes():
    """one node is not heard by another, and hears it: nothing is lost, and it ends with the cut"""
    cut(lambda a, b: [hold(a, b, both=False)], whole=lambda nodes, victim: [])


def one_node_alone():
    """a node cut from Kafka and from all others: it is replaced, and what it says counts nowhere"""
    cut(lambda a, b: [hold(a, "broker-*"), hold(a, "node-*")], kafka=True)


run_faults([node_and_kafka, node_to_kafka, kafka_to_node, kafka_refuses, two_nodes, one_way_between_nodes,
            one_node_alone])
