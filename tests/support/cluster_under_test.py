"""Brokers and nodes as processes of this machine, for tests of a whole cluster and for `./dev cluster`.
Standard library only. Real Apache Kafka: tests/components/kafka/kafka_broker.py starts a broker; `missing()` says
what is not there."""

import concurrent.futures
import os
import shutil
import signal
import sys
import tempfile

from node_under_test import Node, free_port, wait_until

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "components", "kafka"))
try:
    import kafka_broker
except ImportError:  # what speaks to Kafka is not there yet
    kafka_broker = None

INTERNAL_TOKEN = "internal-token-of-a-cluster-under-test"
PARTITIONS = 12

CONF = """process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={least}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={least}
default.replication.factor={copies}
min.insync.replicas={least}
group.initial.rebalance.delay.ms=0
num.partitions=1
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=8388608
log.segment.bytes=67108864
message.max.bytes=8388608
replica.fetch.max.bytes=8388608
auto.create.topics.enable=false
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""


def missing():
    """Why no cluster can be started here; empty: it can."""
    if not kafka_broker:
        return "tests/components/kafka/kafka_broker.py is not there"
    return kafka_broker.missing() or ""


class Brokers:
    """One broker, or three with copies on each."""

    def __init__(self, count, folder):
        ports = [(free_port(), free_port()) for _ in range(count)]
        voters = ",".join(f"{i + 1}@127.0.0.1:{controller}" for i, (_, controller) in enumerate(ports))
        self.addresses = ",".join(f"127.0.0.1:{port}" for port, _ in ports)
        self.all = []
        for i, (port, controller) in enumerate(ports):
            broker = kafka_broker.Broker(os.path.join(folder, f"broker-{i + 1}"), port)
            with open(broker.conf, "w") as file:
                file.write(CONF.format(id=i + 1, voters=voters, port=port, controller=controller, folder=broker.folder,
                                       copies=min(count, 3), least=min(count, 2)))
            self.all.append(broker)

    def start(self):
        # At once: each waits for a majority before it listens.
        with concurrent.futures.ThreadPoolExecutor(len(self.all)) as pool:
            list(pool.map(lambda broker: broker.start(), self.all))
        return self

    def stop(self):
        for broker in self.all:
            broker.kill()


class ClusterNode(Node):
    def __init__(self, name, listen, peers, base_url, data_dir, env, settings=()):
        self.name = name
        super().__init__(base_url, data_dir=data_dir, settings=settings, env={
            "SOMA_NODE_ID": name, "SOMA_NODE_ADDRESS": listen, "SOMA_CLUSTER_PEERS": ",".join(peers),
            "SOMA_CLUSTER_UNSAFE_MANY_NODES": "true",
            "SOMA_NODE_HTTP_LISTEN": "127.0.0.1:" + str(free_port()),
            "GATEWAY_INTERNAL_TOKEN": INTERNAL_TOKEN, **env})

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def cluster(self):
        return self.json("GET", "/v1/admin/cluster", expect=200)

    def has_joined(self, count):
        try:
            seen = self.cluster()
        except (OSError, AssertionError):
            return False
        return (sum(one["state"] == "here" for one in seen["nodes"]) >= count and
                all(one["owner"] for one in seen["partitions"]))


class Cluster:
    """Nodes over brokers, with what they need and what they leave, in one folder that goes with them."""

    def __init__(self, base_url, nodes=3, brokers=1, settings=(), env=None):
        self.folder = tempfile.mkdtemp(prefix="soma-cluster-")
        self.brokers = Brokers(brokers, self.folder)
        key = os.path.join(self.folder, "server.key")
        with open(key, "wb") as file:
            file.write(os.urandom(32))
        os.chmod(key, 0o600)
        listens_at = [f"127.0.0.1:{free_port()}" for _ in range(nodes)]
        shared = {"KAFKA_BOOTSTRAP_SERVERS": self.brokers.addresses, "SOMA_SERVER_KEY_FILE": key,
                  "SOMA_CLUSTER_PARTITIONS": str(PARTITIONS), **(env or {})}
        if brokers == 1:
            shared["SOMA_CLUSTER_UNSAFE_SINGLE_BROKER"] = "true"
        self.nodes = []
        for i in range(nodes):
            home = os.path.join(self.folder, f"node-{i + 1}")
            os.makedirs(home)
            self.nodes.append(ClusterNode(f"node-{i + 1}", listens_at[i], listens_at, base_url, home, shared,
                                          settings))

    def start(self):
        self.brokers.start()
        for node in self.nodes:
            node.start()
        self.wait_for(len(self.nodes))
        return self

    def wait_for(self, count, seconds=60):
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                wait_until(lambda node=node: node.has_joined(count), seconds, f"{node.name} to see {count} nodes")

    def owner_of(self, session, asked=None):
        """The node that owns the session, as one that lives says; None: none does."""
        for node in [asked] if asked else self.nodes:
            if not node.process or node.process.poll() is not None:
                continue
            try:
                seen = node.json("GET", f"/v1/admin/cluster?session_id={session}", expect=200)
            except (OSError, AssertionError):
                continue
            return next((one for one in self.nodes if one.name == seen["session"]["owner"]), None)
        return None

    def stop(self):
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                node.process.send_signal(signal.SIGCONT)
                node.kill()
        self.brokers.stop()
        if not os.environ.get("SOMA_KEEP_DATA"):
            shutil.rmtree(self.folder, ignore_errors=True)
