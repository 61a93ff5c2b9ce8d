"""The door conversation.inbound, over one real broker: every record ten times over, a server killed in the
middle, records that nobody can carry out, policy and brokers that are away. Skipped, with a line, where no
broker can run."""

import json
import os
import random
import shutil
import sys
import tempfile
import time
import uuid

HERE = os.path.dirname(__file__)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "components", "kafka"))
import cluster_under_test
import kafka_broker
import kafka_client
import policy_programs
from node_under_test import Node, Rehearsal, assert_exactly_once, run_tests, wait_until

PARTITIONS = 3
rehearsal = broker = None
names = iter(range(1000))


class Door:
    """A node with the door, and a producer of a service's."""

    def __init__(self, *settings, replicated=False):
        self.cluster = f"in{os.getpid()}-{next(names)}"
        self.topic = f"{self.cluster}.conversation.inbound"
        of = ["kafka.doors=conversation.inbound", f"cluster.name={self.cluster}",
              "cluster.unsafe_single_broker=true", f"inbound.partitions={PARTITIONS}",
              "inbound.retry_ms_max=500", *settings]
        if replicated:
            of += [f"kafka.brokers={broker.address}", "cluster.node=a", "cluster.partitions=4", "cluster.found=true",
                   "cluster.lease_ms=500"]
        else:
            of += [f"kafka.door_brokers={broker.address}"]
        self.node = Node(rehearsal.base_url, settings=of)
        self.producer = kafka_client.Producer(broker.address)

    def start(self):
        self.node.start()
        wait_until(lambda: self.health()["status"] == "ok", 60, "the door")
        return self

    def health(self):
        status, _, text = self.node.request("GET", "/v1/health")
        assert status == 200, (status, text)
        return json.loads(text)["components"]["kafka"]

    def send(self, text, session=None, user="ann", tenant="default", key=None, partition=-1, times=1, meta=(),
             headers=(), payload=()):
        about = {"tenant_id": tenant, "user_id": user, **dict(meta)}
        if session:
            about["session_id"] = session
        value = json.dumps({"version": "v1", "type": "message.user", "meta": about,
                            "payload": {"text": text, **dict(payload)}}).encode()
        named = list(headers) + ([("idempotency_key", key)] if key else [])
        for _ in range(times):
            self.raw(value, named, partition, (session or user).encode())

    def raw(self, value, headers=(), partition=-1, key=None):
        self.producer.send(self.topic, value, key=key, headers=headers, partition=partition)

    def is_done(self):
        self.producer.flush()
        wanted = kafka_client.ends(broker.address, self.topic, PARTITIONS)
        told = kafka_client.committed(broker.address, self.topic, PARTITIONS, self.topic)
        return all(t == w or (w == 0 and t < 0) for t, w in zip(told, wanted))

    def wait(self, seconds=60):
        wait_until(self.is_done, seconds, "the group")

    def sessions(self):
        found = self.node.json("GET", "/v1/sessions?limit=100", expect=200)
        return {one["session_id"] for one in found["sessions"]}

    def said(self, session):
        events = self.node.events(session)
        assert_exactly_once(events)
        return [e for e in events if e["type"] == "message.user"]

    def refused(self):
        return kafka_client.read_all(broker.address, self.topic + ".dlq", PARTITIONS)

    def stop(self):
        assert self.node.stop() == 0, self.node.log_text()[-2000:]
        self.producer.close()


def ten_times_over():
    """every record ten times over changes nothing: by its key, in any partition, at any time"""
    door = Door().start()
    openers = [(f"opens {n} [[rehearsal words=2]]", f"open-{n}") for n in range(6)]
    for _ in range(10):
        random.shuffle(openers)
        for text, key in openers:
            door.send(text, key=key, partition=random.randrange(PARTITIONS))
    door.wait()
    sessions = door.sessions()
    assert len(sessions) == 6, sessions
    said = [one for session in sessions for one in door.said(session)]
    assert sorted(one["payload"]["text"] for one in said) == sorted(text for text, _ in openers)
    assert {one["meta"]["user_id"] for one in said} == {"ann"}
    assert {one["meta"]["idempotency_key"] for one in said} == {key for _, key in openers}
    session = sorted(sessions)[0]
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    for n in range(5):
        door.send(f"goes on {n} [[rehearsal words=2]]", session, key=f"go-{n}", times=10, headers=[
            ("traceparent", f"00-{trace}-00f067aa0ba902b7-01"), ("request_id", f"req-{n}")])
    door.wait()
    said = door.said(session)
    assert [one["payload"]["text"] for one in said[1:]] == [f"goes on {n} [[rehearsal words=2]]" for n in range(5)]
    assert [one["meta"]["request_id"] for one in said[1:]] == [f"req-{n}" for n in range(5)]
    assert {one["meta"]["trace_id"] for one in said[1:]} == {trace}
    # The same key by HTTP is the same message.
    ann = door.node.json("POST", "/v1/keys", {"name": "ann", "role": "user", "user_id": "ann"}, expect=201)["key"]
    status, headers, _ = door.node.request(
        "POST", "/v1/session/message", {"session_id": session, "message": "goes on 0 [[rehearsal words=2]]"},
        {"Idempotency-Key": "go-0"}, key=ann)
    assert status == 202 and headers.get("Idempotency-Replayed") == "true", (status, headers)
    # Without a key a record is known by its place: each is a message, however often it comes.
    door.send("by its place [[rehearsal words=2]]", session, times=2, partition=0)
    door.wait()
    assert len(door.said(session)) == 8
    door.node.kill()
    rewound = kafka_client.client(1, broker.address, group_id=door.topic)
    places = kafka_client.places(door.topic, PARTITIONS, 0)
    kafka_client.LIB.rd_kafka_commit.argtypes = [kafka_client.c_void_p, kafka_client.c_void_p, kafka_client.c_int]
    wait_until(lambda: kafka_client.LIB.rd_kafka_commit(rewound, places, 0) == 0, 60, "the group to be empty")
    kafka_client.LIB.rd_kafka_destroy(rewound)
    door.node.start()
    door.wait()
    assert door.sessions() == sessions and len(door.said(session)) == 8
    assert not door.refused()
    door.stop()


def killed_in_the_middle():
    """kill -9 in the middle, six times: every record once, none lost, those of a session in their order"""
    run_killed(Door())


def killed_in_the_middle_of_a_cluster():
    """the same of a node whose log is in Kafka, too"""
    run_killed(Door(replicated=True), rounds=3)


def run_killed(door, rounds=6):
    door.start()
    sessions = [str(door.node.json("POST", "/v1/sessions", {"title": "x"}, expect=201)["session_id"])
                for _ in range(4)]
    sent = {session: [] for session in sessions}
    number = 0
    for _ in range(rounds):
        for _ in range(40):
            session = random.choice(sessions)
            text = f"number {number} [[rehearsal words=1]]"
            door.send(text, session, user="admin", key=f"n-{number}", times=random.choice((1, 1, 2)))
            sent[session].append(text)
            number += 1
        door.producer.flush()
        time.sleep(random.uniform(0.05, 0.6))
        door.node.kill()
        door.node.start()
    door.wait(120)
    refused = door.refused()
    assert not refused, [one.headers for one in refused[:3]]
    for session in sessions:
        assert [one["payload"]["text"] for one in door.said(session)] == sent[session]
    door.stop()


def refused_for_good():
    """what nobody can carry out goes to the .dlq with its code, and what comes behind it is carried out"""
    door = Door("inbound.record_bytes_max=65536").start()
    private = door.node.json("POST", "/v1/sessions", {"title": "the admin's"}, expect=201)["session_id"]
    ann = door.node.json("POST", "/v1/keys", {"name": "bob", "role": "user", "user_id": "bob"}, expect=201)
    assert ann
    door.node.json("PATCH", "/v1/users/bob", {"disabled": True}, expect=200)
    good = json.dumps({"version": "v1", "type": "message.user", "meta": {"tenant_id": "default", "user_id": "ann"},
                       "payload": {"text": "x"}}).encode()
    door.raw(b"{not json", [("mine", "kept")], 0, b"k")
    door.raw(None, [], 0)
    door.raw(good.replace(b'"payload"', b'"more":1,"payload"'), [], 0)
    door.raw(good.replace(b"message.user", b"message.assistant"), [], 0)
    door.raw(good, [("idempotency_key", "a"), ("idempotency_key", "b")], 0)
    door.producer.flush()  # the topic takes it alone: what is sent together has one bound
    door.raw(good.replace(b'"x"', b'"' + b"x" * 66000 + b'"'), [], 0, b"large")
    door.producer.flush()
    door.send("not mine", tenant="other", partition=0)
    door.send("gone", user="bob", partition=0)
    door.send("whose?", private, partition=0)
    door.send("where?", str(uuid.uuid4()), partition=0)
    door.send("first [[rehearsal words=1]]", key="one", partition=0)
    door.producer.flush()
    wait_until(lambda: len(door.sessions()) == 2, 30, "the good one")
    door.send("second", key="one", partition=0)
    door.send("with a file", partition=0, payload={"attachments": [{"id": str(uuid.uuid4())}]})
    door.send("last [[rehearsal words=1]]", key="two", partition=0)
    door.wait()
    assert len(door.sessions()) == 3
    refused = sorted(door.refused(), key=lambda one: int(one.header("origin_offset")))
    assert [one.header("error_code").decode() for one in refused] == [
        "request.malformed_json", "request.malformed_json", "request.unknown_field", "request.invalid",
        "request.invalid_parameter", "request.too_large", "auth.forbidden", "auth.forbidden",
        "session.not_found", "session.not_found", "idempotency.mismatch", "attachment.not_found"]
    first, large = refused[0], refused[5]
    assert first.value == b"{not json" and first.key == b"k" and first.header("mine") == b"kept"
    assert first.header("origin_topic").decode() == door.topic and first.header("origin_partition") == b"0"
    assert large.value is None and large.key is None and large.header("origin_offset") == b"5"
    health = door.health()
    assert health["inbound_refused"] == 12 and health["inbound_lag"] == 0, health
    assert "xxxx" not in door.node.log_text() and "not mine" not in door.node.log_text()
    door.stop()


def policy_is_away():
    """while policy cannot be asked records wait, and none is refused; one that is slow holds up its own session"""
    opa = policy_programs.StandIn()
    door = Door(f"policy.opa_url={opa.url}", "policy.cache_ms=0", "policy.timeout_ms=20000",
                "inbound.give_up_s=0").start()
    door.send("opens [[rehearsal words=1]]", user="slow", key="o", partition=0)
    door.wait()
    slow, = door.sessions()
    opa.be("error")
    for n in range(4):
        door.send(f"waits {n} [[rehearsal words=1]]", key=f"w-{n}", partition=n % PARTITIONS)
    door.producer.flush()
    wait_until(lambda: "again" in door.health().get("detail", ""), 30, "health")
    assert not door.refused() and not door.is_done()
    opa.be("good")
    door.wait()
    assert len(door.sessions()) == 5
    opa.decide = lambda question: (time.sleep(1.5) if question["user"]["id"] == "slow" else None) or True
    for n in range(4):
        door.send(f"slow {n} [[rehearsal words=1]]", slow, user="slow", key=f"s-{n}", partition=0)
        door.send(f"beside {n} [[rehearsal words=1]]", user="fast", key=f"f-{n}", partition=n % 2)
    door.producer.flush()
    began = time.monotonic()
    wait_until(lambda: len(door.sessions()) == 9, 30, "those beside it")
    took = time.monotonic() - began
    assert len(door.said(slow)) < 4, "those beside it waited"
    door.wait()
    print(f"beside it after {took:.1f} s, its own after {time.monotonic() - began:.1f} s", flush=True)
    assert [one["payload"]["text"][:6] for one in door.said(slow)[1:]] == [f"slow {n}" for n in range(4)]
    opa.decide = lambda question: {"allow": question["action"] != "conversation.send", "rule": "closed"}
    door.send("denied", key="d")
    door.wait()
    refused, = door.refused()
    assert refused.header("error_code") == b"policy.denied" and refused.header("error_rule") == b"closed"
    asked = opa.asked(user="ann", action="conversation.send")
    assert asked and all(one["user"]["role"] == "user" for one in asked)
    assert {one["context"]["door"] for one in asked} == {"kafka"}
    opa.stop()
    door.stop()


def brokers_away():
    """a node starts and serves without brokers, says so in health, and reads on when they come"""
    door = Door().start()
    door.send("before [[rehearsal words=1]]", key="b")
    door.wait()
    broker.kill()
    wait_until(lambda: door.health()["status"] != "ok", 60, "health")
    session = door.node.say("meanwhile [[rehearsal words=1]]")["session_id"]
    assert door.node.stop() == 0
    door.node.start()
    assert door.node.say("still [[rehearsal words=1]]", session)["session_id"] == session
    assert door.health()["status"] != "ok"
    broker.start()
    wait_until(lambda: door.health()["status"] == "ok", 60, "the door")
    door.send("after [[rehearsal words=1]]", key="a")
    door.wait()
    assert len(door.sessions()) == 3
    door.stop()


def of_two_nodes():
    """records that another node owns are handed over to it, over kills of either: each once, in order"""
    with_door = ["kafka.doors=conversation.inbound", f"inbound.partitions={PARTITIONS}", "inbound.retry_ms_max=500",
                 "cluster.lease_ms=500"]
    cluster = cluster_under_test.Cluster(rehearsal.base_url, nodes=2, settings=with_door)
    topic, group = "conversation.inbound", "conversation.inbound"
    try:
        cluster.start()
        brokers = cluster.brokers.addresses
        first, second = cluster.nodes
        wait_until(lambda: all(json.loads(node.request("GET", "/v1/health")[2])["components"]["kafka"]["status"] == "ok"
                               for node in cluster.nodes), 60, "the doors")
        producer = kafka_client.Producer(brokers)
        sessions = [first.json("POST", "/v1/sessions", {"title": "x"}, expect=201)["session_id"] for _ in range(6)]
        owners = {cluster.owner_of(session, first).name for session in sessions}
        sent = {session: [] for session in sessions}
        for n in range(90):
            session = random.choice(sessions)
            text = f"number {n} [[rehearsal words=1]]"
            value = json.dumps({"version": "v1", "type": "message.user", "payload": {"text": text}, "meta": {
                "tenant_id": "default", "user_id": "admin", "session_id": session}}).encode()
            for _ in range(random.choice((1, 2))):
                producer.send(topic, value, key=session.encode(), headers=[("idempotency_key", f"n-{n}")])
            sent[session].append(text)
            if n in (30, 60):
                producer.flush()
                victim = second if n == 30 else first
                time.sleep(0.3)
                victim.kill()
                time.sleep(1)
                victim.start()
                cluster.wait_for(2)
        producer.flush()
        wanted = kafka_client.ends(brokers, topic, PARTITIONS)

        def is_done():
            told = kafka_client.committed(brokers, topic, PARTITIONS, group)
            return all(t == w or (w == 0 and t < 0) for t, w in zip(told, wanted))

        wait_until(is_done, 120, "the group")
        refused = kafka_client.read_all(brokers, topic + ".dlq", PARTITIONS)
        assert not refused, [one.headers for one in refused[:3]]
        for session in sessions:
            events = first.events(session)
            assert_exactly_once(events)
            assert [e["payload"]["text"] for e in events if e["type"] == "message.user"] == sent[session]
        print(f"owners: {sorted(owners)}", flush=True)
        producer.close()
    finally:
        cluster.stop()


if __name__ == "__main__":
    why = kafka_broker.missing()
    if why:
        print(f"skipped: {why}\n0 passed, 0 failed")
        sys.exit(0)
    folder = tempfile.mkdtemp(prefix="soma-kafka-")
    rehearsal = Rehearsal()
    broker = kafka_broker.Broker(os.path.join(folder, "broker")).start()
    tests = [ten_times_over, refused_for_good, killed_in_the_middle, killed_in_the_middle_of_a_cluster,
             policy_is_away, brokers_away, of_two_nodes]
    if sys.argv[1:]:
        tests = [test for test in tests if test.__name__ in sys.argv[1:]]
    try:
        status = run_tests(tests)
    finally:
        rehearsal.stop()
        broker.kill()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(status)
