"""Three nodes over one real broker, as one server to its clients: what is of no session is written and read through
any of them, a session is made by any, a node that is stopped has given up what it owned, and what a cluster does not
start with. Skipped, with a line, where no broker can run."""

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cluster_under_test import Cluster, missing
from node_under_test import ADMIN_KEY, BIN, Rehearsal, assert_exactly_once, run_tests, wait_until

rehearsal = cluster = None
names = iter(range(1000))


def finals(events):
    return [e for e in events if e["type"] == "message.assistant" and e["payload"]["final"]]


def pairs():
    """Each node, and the one that is asked next."""
    nodes = cluster.nodes
    return [(nodes[i], nodes[(i + 1) % len(nodes)]) for i in range(len(nodes))]


def documents_through_any_node():
    """keys, profiles and memories: written through one node, seen through the next without a word of where"""
    for here, there in pairs():
        name = f"p{next(names)}"
        made = here.json("POST", "/v1/keys", {"name": name, "role": "user"}, expect=201)
        # Who asks is judged by what a node has read: a moment later, where it is not waited for.
        wait_until(lambda: there.request("GET", "/v1/sessions", key=made["key"])[0] == 200, 5, "the key to be known")
        status, headers, _ = here.request("DELETE", f"/v1/keys/{made['key_id']}")
        assert status == 204, status
        position = {"Soma-Position": headers["Soma-Position"]}
        assert position["Soma-Position"].startswith("0."), position
        wait_until(lambda: there.request("GET", "/v1/sessions", key=made["key"])[0] == 401, 5, "the key to be void")
        profile = {"name": name, "model": "rehearsal", "base_url": rehearsal.base_url}
        status, _, text = here.request("PUT", f"/v1/model-profiles/{name}", profile)
        assert status in (200, 201), (status, text)
        # Profiles are kept in memory, and followed once a second.
        wait_until(lambda: there.request("GET", f"/v1/model-profiles/{name}")[0] == 200, 5, "the profile")
        memory = here.json("POST", "/v1/memories", {"text": f"remember {name}"}, expect=201)
        assert there.request("GET", f"/v1/memories/{memory['memory_id']}")[0] == 200


def sign_ins_through_any_node():
    """a browser signs in at one node, is known at the next, and signs out at the third"""
    for here, there in pairs():
        status, headers, text = here.request("POST", "/v1/auth/login", {"key": ADMIN_KEY}, key=None)
        assert status == 200, (status, text)
        cookie = {"Cookie": headers["Set-Cookie"].split(";")[0]}
        assert headers["Soma-Position"].startswith("0."), headers
        wait_until(lambda: there.request("GET", "/v1/auth/whoami", headers=cookie, key=None)[0] == 200, 5,
                   "the sign-in to be known")
        status, headers, text = there.request("POST", "/v1/auth/logout", headers=cookie, key=None)
        assert status == 204, (status, text)
        wait_until(lambda: here.request("GET", "/v1/auth/whoami", headers=cookie, key=None)[0] == 401, 5,
                   "the sign-in to be over")


def sessions_by_any_node():
    """sessions are made, forked and taken in by every node, and none is missed by another"""
    for here, there in pairs():
        session = here.say("[[rehearsal words=5]]")["session_id"]
        assert there.request("GET", f"/v1/sessions/{session}")[0] == 200
        wait_until(lambda: finals(there.events(session)), 30, "the answer")
        last = there.events(session)[-1]["meta"]["event_id"]
        fork = there.json("POST", f"/v1/sessions/{session}/fork", {"event_id": last}, expect=201)
        assert here.request("GET", f"/v1/sessions/{fork['session_id']}")[0] == 200
        status, _, document = here.request("POST", "/v1/sessions/export", {"session_id": session})
        assert status == 200
        status, _, text = there.request("POST", "/v1/sessions/import", document.encode(),
                                        {"Content-Type": "application/x-ndjson"})
        assert status == 201, (status, text)
        taken = json.loads(text)["session_id"]
        assert here.request("GET", f"/v1/sessions/{taken}")[0] == 200
        assert here.request("DELETE", f"/v1/sessions/{taken}")[0] == 204
        assert_exactly_once(there.events(session))


def one_is_stopped():
    """SIGTERM: all it owned is given up before it ends, so what it was asked for goes on at once"""
    node = cluster.nodes[1]
    other = cluster.nodes[0]
    sessions, owned = [], []
    while len(owned) < 2 and len(sessions) < 40:
        sessions.append(other.say("[[rehearsal delay_ms=20 words=300]]")["session_id"])
        owned += [s for s in sessions[-1:] if cluster.owner_of(s, asked=other) is node]
    assert len(owned) == 2
    for session in sessions:
        wait_until(lambda s=session: any(e["type"] == "llm.delta" for e in other.events(s)), 20, "a delta")
    assert node.stop() == 0
    seen = other.cluster()
    assert all(one["owner"] and one["owner"] != node.name for one in seen["partitions"]), seen["partitions"]
    for session in sessions:
        wait_until(lambda s=session: finals(other.events(s)), 60, "the answer")
        assert_exactly_once(other.events(session))
    print(f"{len(owned)} of {len(sessions)} sessions were its own", flush=True)
    node.start()
    cluster.wait_for(3)
    wait_until(lambda: any(one["owner"] == node.name for one in other.cluster()["partitions"]), 60, "its share")


def what_a_node_does_not_start_with():
    """an address that is none, and a server key that is only its own"""
    def refused(*settings, without=()):
        node = cluster.nodes[0]
        env = {k: v for k, v in node.env.items() if k not in without}
        asked = [a for s in settings for a in ("--set", s)]
        done = subprocess.run([os.path.join(BIN, "soma"), "serve", "--port", "0", "--data-dir",
                               os.path.join(cluster.folder, f"none-{next(names)}"), *asked],
                              env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode != 0
        return done.stderr

    tls = os.path.join(cluster.folder, "no-certificates")
    said = refused("cluster.http_listen=0.0.0.0:21999", f"cluster.tls_dir={tls}")
    assert "cluster.http_address" in said, said
    said = refused(without=("SOMA_SERVER_KEY_FILE",))
    assert "cluster.server_key_file" in said, said


if __name__ == "__main__":
    if why := missing():
        print(f"skipped: {why}\n0 passed, 0 failed")
        sys.exit(0)
    rehearsal = Rehearsal()
    cluster = Cluster(rehearsal.base_url)
    try:
        began = time.monotonic()
        cluster.start()
        print(f"three nodes after {time.monotonic() - began:.1f} s", flush=True)
        status = run_tests([documents_through_any_node, sign_ins_through_any_node, sessions_by_any_node,
                            one_is_stopped, what_a_node_does_not_start_with])
    finally:
        cluster.stop()
        rehearsal.stop()
    sys.exit(status)
