"""What happens to nodes of a cluster, beside being killed one by one: all at once, a folder that is lost, clocks that are
an hour apart, a node that holds the only copy of an attachment. The checker is tests/support/cluster_checker.py."""

import os
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cluster_faults import a_cluster, a_load, pick_owner, run_faults
from forms import upload
from node_under_test import BIN, wait_until

APART_S = 3_700


def first_start_at_once():
    """three nodes without anything, started at the same moment: all come up, and all partitions have an owner"""
    with a_cluster(brokers=1, start=False) as cluster:
        cluster.brokers.start()
        cluster.start_nodes(cluster.nodes)
        cluster.wait_for(len(cluster.nodes))
        session = cluster.nodes[0].say("[[rehearsal words=3]]")["session_id"]
        for node in cluster.nodes:
            wait_until(lambda: len(node.events(session)) > 2, 20, "the session everywhere")


def all_killed():
    """all nodes killed at once and started in another order, twice: nothing lost, nothing twice, every answer finished"""
    with a_load(brokers=1) as (cluster, load):
        for apart_s in (0.0, 3.0):
            load.wait_for_more()
            for node in cluster.nodes:
                node.kill()
            time.sleep(2)
            order = list(cluster.nodes)
            load.rng.shuffle(order)
            cluster.start_nodes(order, apart_s)
            cluster.wait_for(len(cluster.nodes), 90)
        load.judge()


def folder_lost():
    """an owner killed and its folder deleted: it reads all of it again, is the same as the others, and owns again"""
    with a_load(brokers=1) as (cluster, load):
        victim = pick_owner(cluster, load, load.rng)
        victim.kill()
        shutil.rmtree(victim.data_dir)
        os.makedirs(victim.data_dir)
        time.sleep(5)
        began = time.monotonic()
        victim.start()
        print(f"  up again after {time.monotonic() - began:.1f} s", flush=True)
        cluster.wait_for(len(cluster.nodes))
        load.wait_for_more()
        wait_until(lambda: any(owner == victim.name for owner, _ in cluster.owners()), 90, "it to own partitions again")
        load.judge()


def drained():
    """a node drained and undrained under load: it owns nothing meanwhile, and nobody waits long"""
    with a_load(brokers=1) as (cluster, load):
        victim = pick_owner(cluster, load, load.rng)
        victim.json("POST", "/v1/admin/cluster/drain", {}, expect=202)
        began = time.monotonic()
        wait_until(lambda: all(owner not in ("", victim.name) for owner, _ in cluster.owners()), 90, "it to own nothing")
        print(f"  {victim.name} owns nothing after {time.monotonic() - began:.1f} s", flush=True)
        load.wait_for_more()
        victim.json("POST", "/v1/admin/cluster/undrain", {}, expect=202)
        wait_until(lambda: any(owner == victim.name for owner, _ in cluster.owners()), 90, "it to own again")
        load.judge()


def owners_killed_with_clocks_apart(**how):
    library = os.path.join(BIN, "libshifted_clock.so")
    assert os.path.exists(library), f"{library} is not built: the target shifted_clock"
    shift = (0, APART_S, -APART_S)
    with a_load(brokers=1, each=lambda i: {"LD_PRELOAD": library, "CLOCK_SHIFT_S": str(shift[i])}, **how) as (cluster, load):
        for _ in range(3):
            load.wait_for_more()
            victim = pick_owner(cluster, load, load.rng)
            victim.kill()
            time.sleep(6)
            load.wait_for_more()
            victim.start()
            cluster.wait_for(len(cluster.nodes))
        load.judge()


def clocks_apart():
    """one node's clock an hour ahead, another's an hour behind, and owners killed: as if they were together"""
    owners_killed_with_clocks_apart()


def clocks_apart_of_brokers_time():
    """the same where records have the brokers' time: Kafka refuses none"""
    owners_killed_with_clocks_apart(broker_settings=["log.message.timestamp.type=LogAppendTime"])


def attachment_away():
    """an attachment whose only node is down: a clear 503 from the others, and it is served when the node is back"""
    with a_cluster(brokers=1) as cluster:
        holder, *others = cluster.nodes
        [made] = upload(holder, ("a.txt", b"what only one node has\n"))
        path = f"/v1/attachments/{made['id']}"
        wait_until(lambda: holder.request("GET", path)[0] == 200, 20, "it at its own node")
        for node in others:
            status, _, text = node.request("GET", path)
            print(f"  {node.name}, holder up: {status}", flush=True)
            assert (status, text) == (200, "what only one node has\n"), (status, text[:200])
        holder.kill()
        time.sleep(6)
        for node in others:
            status, headers, text = node.request("GET", path)
            print(f"  {node.name}, holder down: {status} {text[:120]}", flush=True)
            assert status == 200 or status == 503 and "Retry-After" in headers, (status, text[:200])
        holder.start()
        cluster.wait_for(len(cluster.nodes))
        for node in others:
            wait_until(lambda: node.request("GET", path)[0] == 200, 20, "it from another node")


run_faults([first_start_at_once, all_killed, folder_lost, drained, clocks_apart, clocks_apart_of_brokers_time,
            attachment_away])
