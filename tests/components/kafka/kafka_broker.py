"""Apache Kafka for tests: one broker that is its own controller, or several; on loopback, in a folder.

`missing()` says what is not there to run one; `kafka_broker.py COMMAND…` runs a command with one broker
and its address in SOMA_TEST_KAFKA, and ends with 77 where there is none to be had.
"""
import glob
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
JARS = os.environ.get("SOMA_KAFKA_JARS", os.path.join(ROOT, "build", "components", "kafka"))
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"
# Small: three of them and the nodes fit on two cores.
JAVA = ["java", "-Xms96m", "-Xmx256m", "-Xss512k", "-XX:+UseSerialGC", "-XX:MaxMetaspaceSize=128m",
        "-XX:ReservedCodeCacheSize=48m", "-XX:MaxDirectMemorySize=64m", "-XX:TieredStopAtLevel=1",
        "-Djava.net.preferIPv4Stack=true"]
READY_S = 180


def missing():
    """Why no broker can run here; None: one can."""
    if not shutil.which("java"):
        return "java is not installed"
    if not glob.glob(os.path.join(JARS, "kafka_2.13-*.jar")):
        return "Kafka's jars are not in build/components/kafka: ./dev test puts them there"
    return None


def free_port():
    """Below the ports that outgoing connections take."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


class Broker:
    """One broker with all partitions to itself. A context; `kill` and `start` may be called within."""

    def __init__(self, folder, port=None, extra=()):
        self.folder, self.port, self.process = folder, port or free_port(), None
        controller = free_port()
        lines = [
            "process.roles=broker,controller", "node.id=1",
            f"controller.quorum.voters=1@127.0.0.1:{controller}",
            f"listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names=CONTROLLER",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            f"log.dirs={folder}/data",
            "offsets.topic.replication.factor=1", "offsets.topic.num.partitions=1",
            "transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
            "transaction.state.log.num.partitions=1",
            "share.coordinator.state.topic.replication.factor=1",
            "share.coordinator.state.topic.min.isr=1",
            "group.initial.rebalance.delay.ms=0", "num.partitions=1", "num.network.threads=2",
            "num.io.threads=2", "log.cleaner.dedupe.buffer.size=8388608",
            "log.segment.bytes=67108864", "log.index.size.max.bytes=1048576",
            "auto.create.topics.enable=false", *extra]
        os.makedirs(folder, exist_ok=True)
        self.conf = os.path.join(folder, "broker.properties")
        with open(self.conf, "w") as out:
            out.write("\n".join(lines) + "\n")
        self.env = dict(os.environ, LC_ALL="C")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def run(self, main, *args, **how):
        return [*JAVA, "-cp", os.path.join(JARS, "*"), main, *args]

    def start(self):
        if not os.path.exists(os.path.join(self.folder, "data", "meta.properties")):
            subprocess.run(self.run("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", self.conf),
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.env)
        self.log = open(os.path.join(self.folder, "broker.log"), "ab")
        self.process = subprocess.Popen(self.run("kafka.Kafka", self.conf), stdout=self.log,
                                        stderr=subprocess.STDOUT, env=self.env)
        until = time.monotonic() + READY_S
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended with {self.process.returncode}: see {self.log.name}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if time.monotonic() > until:
                    raise RuntimeError("the broker does not listen") from None
                time.sleep(0.05)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.log.close()
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()


def main():
    why = missing()
    if why:
        print(f"skipped: {why}")
        return 77
    # In memory where there is room: a broker does not sync what it acknowledges anyway.
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 2 << 30 else None
    folder = tempfile.mkdtemp(prefix="soma-kafka-", dir=place)
    try:
        began = time.monotonic()
        with Broker(os.path.join(folder, "broker")) as broker:
            print(f"a broker is up after {time.monotonic() - began:.1f} s", flush=True)
            return subprocess.run(sys.argv[1:], env=dict(os.environ, SOMA_TEST_KAFKA=broker.address)).returncode
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
