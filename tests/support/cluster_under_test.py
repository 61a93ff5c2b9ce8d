"""Brokers and nodes as processes of this machine, for tests of a whole cluster and for `./dev cluster`.
Standard library only. Real Apache Kafka: tests/components/kafka/kafka_broker.py starts a broker; `missing()` says
what is not there."""

import concurrent.futures
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from cutting_proxy import CuttingProxy
from node_under_test import BIN, Node, free_port, wait_until

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "components", "kafka"))
try:
    import kafka_broker
except ImportError:  # what speaks to Kafka is not there yet
    kafka_broker = None

INTERNAL_TOKEN = "internal-token-of-a-cluster-under-test"
PARTITIONS = 12
FAMILIES = ["sessions", "recency", "busy", "idempotency", "idempotency_age", "staging", "documents", "snapshots"]

CONF = """process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},INSIDE://127.0.0.1:{inside},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{told},INSIDE://127.0.0.1:{inside}
inter.broker.listener.name=INSIDE
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT
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
    """One broker, or three with copies on each. With a proxy nodes reach them through it, as broker-1 and so on; they
    reach one another past it."""

    def __init__(self, count, folder, proxy=None, settings=()):
        ports = [(free_port(), free_port()) for _ in range(count)]
        voters = ",".join(f"{i + 1}@127.0.0.1:{controller}" for i, (_, controller) in enumerate(ports))
        self.all, addresses = [], []
        for i, (port, controller) in enumerate(ports):
            told = port
            if proxy:
                told = free_port()
                proxy.door(f"broker-{i + 1}", told, port)
            addresses.append(f"127.0.0.1:{told}")
            broker = kafka_broker.Broker(os.path.join(folder, f"broker-{i + 1}"), port)
            with open(broker.conf, "w") as file:
                file.write(CONF.format(id=i + 1, voters=voters, port=port, told=told, inside=free_port(),
                                       controller=controller, folder=broker.folder, copies=min(count, 3),
                                       least=min(count, 2)) + "".join(f"{one}\n" for one in settings))
            self.all.append(broker)
        self.addresses = ",".join(addresses)

    def start(self, some=None):
        # At once: each waits for a majority before it listens.
        with concurrent.futures.ThreadPoolExecutor(len(self.all)) as pool:
            list(pool.map(lambda broker: broker.start(), some or self.all))
        return self

    def topic_tool(self, *arguments):
        """Kafka's own tool for topics, at a broker that lives; what it says."""
        broker = next(one for one in self.all if one.process)
        done = subprocess.run(broker.run("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", broker.address,
                                         *arguments), env=broker.env, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"kafka-topics {arguments}: {done.stdout[-500:]} {done.stderr[-500:]}")
        return done.stdout

    def wait_in_sync(self, seconds=120):
        """Until every copy of every partition follows its leader."""
        wait_until(lambda: not self.topic_tool("--describe", "--under-replicated-partitions").strip(), seconds,
                   "brokers in sync")

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

        self.paused = False
        # Beside its folder, which a test may delete.
        self.log.close()
        os.remove(self.log.name)
        self.log = open(data_dir + ".log", "ab")

    def start(self, stdin=None, seconds=90):
        self.paused = False
        args = [os.path.join(BIN, "soma"), "serve", "--data-dir", self.data_dir, "--port", str(self.port)]
        self.process = subprocess.Popen(args + [word for one in self.settings for word in ("--set", one)],
                                        env=self.env, stdin=stdin, stdout=self.log, stderr=self.log)
        wait_until(self.is_ready, seconds, f"{self.name} to be ready")
        return self

    def pause(self):
        self.paused = True
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)
        self.paused = False

    def cluster(self):
        return self.json("GET", "/v1/admin/cluster", expect=200)

    def has_joined(self, count):
        try:
            seen = self.cluster()
        except (OSError, AssertionError):
            return False
        return (sum(one["state"] == "here" for one in seen["nodes"]) >= count and
                all(one["owner"] for one in seen["partitions"]))


def a_folder():
    """In memory where there is room: what is acknowledged does not rest on one disk here, and tests wait less."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 4 << 30 else None
    return tempfile.mkdtemp(prefix="soma-cluster-", dir=place)


def rows_in(store, family):
    done = subprocess.run(["ldb", f"--db={store}", "scan", f"--column_family={family}", "--hex"], capture_output=True,
                          text=True, timeout=120)
    if done.returncode != 0:
        raise AssertionError(f"ldb cannot read {family} of {store}: {done.stderr[-300:]}")
    rows = (line.partition(" ==> ")[::2] if " ==> " in line else line.partition(" : ")[::2]
            for line in done.stdout.splitlines() if line.startswith("0x"))
    return {readable(key): value for key, value in rows}


def readable(key):
    return "".join(chr(byte) if 32 <= byte < 127 else f"\\{byte:02x}" for byte in bytes.fromhex(key[2:]))


class Cluster:
    """Nodes over brokers, with what they need and what they leave, in one folder that goes with them. With `cuts` all
    that nodes say to brokers and to one another goes through `proxy`. `each` gives a node's number (from 0) variables
    of its own."""

    def __init__(self, base_url, nodes=3, brokers=1, settings=(), env=None, cuts=False, each=None, broker_settings=()):
        self.folder = a_folder()
        self.proxy = CuttingProxy() if cuts else None
        self.brokers = Brokers(brokers, self.folder, self.proxy, broker_settings)
        key = os.path.join(self.folder, "server.key")
        with open(key, "wb") as file:
            file.write(os.urandom(32))
        os.chmod(key, 0o600)
        listens_at = [f"127.0.0.1:{free_port()}" for _ in range(nodes)]
        reached_at = [self.through_proxy(f"node-{i + 1}", one) for i, one in enumerate(listens_at)]
        shared = {"KAFKA_BOOTSTRAP_SERVERS": self.brokers.addresses, "SOMA_SERVER_KEY_FILE": key,
                  "SOMA_CLUSTER_PARTITIONS": str(PARTITIONS), **(env or {})}
        if brokers == 1:
            shared["SOMA_CLUSTER_UNSAFE_SINGLE_BROKER"] = "true"
        self.nodes = []
        for i in range(nodes):
            home = os.path.join(self.folder, f"node-{i + 1}")
            os.makedirs(home)
            peers = [one for j, one in enumerate(reached_at) if j != i]
            own = dict(shared, **(each(i) if each else {}))
            # One begins the cluster; a lost folder of it is as any other node's from then on.
            if i == 0:
                own["SOMA_CLUSTER_FOUND"] = "true"
            if self.proxy:
                http = f"127.0.0.1:{free_port()}"
                own.update(SOMA_NODE_HTTP_LISTEN=http,
                           SOMA_NODE_HTTP_ADDRESS=self.through_proxy(f"node-{i + 1}", http))
            self.nodes.append(ClusterNode(f"node-{i + 1}", listens_at[i], peers, base_url, home, own, settings))

    def through_proxy(self, place, address):
        if not self.proxy:
            return address
        port = free_port()
        self.proxy.door(place, port, int(address.rpartition(":")[2]))
        return f"127.0.0.1:{port}"

    def start(self):
        self.brokers.start()
        # At once: each waits for the others before it claims.
        self.start_nodes(self.nodes)
        self.wait_for(len(self.nodes))
        return self

    def start_nodes(self, nodes, apart_s=0.0):
        """In this order, none waiting until the one before is ready."""
        with concurrent.futures.ThreadPoolExecutor(len(nodes)) as pool:
            waiting = []
            for node in nodes:
                waiting.append(pool.submit(node.start))
                if apart_s:
                    concurrent.futures.wait(waiting, apart_s)
            for one in waiting:
                one.result()

    def alive(self):
        return [node for node in self.nodes if node.process and not node.paused and node.process.poll() is None]

    def wait_for(self, count, seconds=120):
        for node in self.alive():
            wait_until(lambda node=node: node.has_joined(count), seconds, f"{node.name} to see {count} nodes")

    def owner_of(self, session, asked=None):
        """The node that owns the session, as one that lives says; None: none does."""
        for node in [asked] if asked else self.alive():
            try:
                seen = node.json("GET", f"/v1/admin/cluster?session_id={session}", expect=200)
            except (OSError, AssertionError):
                continue
            return next((one for one in self.nodes if one.name == seen["session"]["owner"]), None)
        return None

    def owners(self, asked=None):
        """(owner's name, epoch) of each partition, as a node that lives says."""
        for node in [asked] if asked else self.alive():
            try:
                return [(one["owner"], one["epoch"]) for one in node.cluster()["partitions"]]
            except (OSError, AssertionError):
                continue
        return []

    def stored_rows(self):
        """node → family → {key: value} of what is the same at all nodes, as RocksDB's own tool reads it; ends the nodes.
        Empty where the tool is not there. What is each node's own is left out: the outbox, and how far logs are read."""
        self.kill_nodes()
        if not shutil.which("ldb"):
            return {}
        return {node.name: {family: rows_in(os.path.join(node.data_dir, "store"), family) for family in FAMILIES}
                for node in self.nodes}

    def kill_nodes(self):
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                node.process.send_signal(signal.SIGCONT)
                node.kill()

    def stop(self):
        self.kill_nodes()
        self.brokers.stop()
        if self.proxy:
            self.proxy.stop()
        if not os.environ.get("SOMA_KEEP_DATA"):
            shutil.rmtree(self.folder, ignore_errors=True)
