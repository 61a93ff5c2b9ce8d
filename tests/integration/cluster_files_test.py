"""What is offered for setting a cluster up names what there is: docker-compose.cluster.yaml its variables and
ports, docs/cluster-certificates.sh certificates that are good for one another."""

import os
import re
import subprocess
import sys
import tempfile

import yaml

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import run_tests

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")


def composed():
    with open(os.path.join(ROOT, "docker-compose.cluster.yaml")) as file:
        return yaml.safe_load(file)


def variables():
    with open(os.path.join(ROOT, "schemas", "config.schema.json")) as file:
        return set(re.findall(r'"x-env":\s*"(\w+)"', file.read()))


def nodes():
    return {name: one for name, one in composed()["services"].items() if name.startswith("node-")}


def names():
    """three nodes, three brokers and a balancer, whose variables are the configuration's own"""
    services = composed()["services"]
    assert sorted(services) == ["balancer", *(f"{kind}-{i}" for kind in ("kafka", "node") for i in (1, 2, 3))]
    known = variables()
    for name, node in nodes().items():
        assert set(node["environment"]) <= known, (name, set(node["environment"]) - known)
        assert node["environment"]["SOMA_NODE_ID"] == name


def ports():
    """what links, hands over and balances goes to where nodes listen"""
    all_nodes = nodes()
    balancer = composed()["configs"]["balancer"]["content"]
    for name, node in all_nodes.items():
        says = node["environment"]
        link = says["SOMA_NODE_ADDRESS"].rpartition(":")[2]
        assert says["SOMA_CLUSTER_PEERS"].split(",") == [f"{one}:{link}" for one in all_nodes]
        door = says["SOMA_NODE_HTTP_LISTEN"].rpartition(":")[2]
        assert says["SOMA_NODE_HTTP_ADDRESS"] == f"{name}:{door}"
        assert f"server {name} {name}:{says['GATEWAY_PORT']} " in balancer
        assert f"./cluster-tls/{name}:{says['SOMA_NODE_TLS_DIR']}:ro" in node["volumes"]
    brokers = {name: one for name, one in composed()["services"].items() if name.startswith("kafka-")}
    asked = next(iter(all_nodes.values()))["environment"]["KAFKA_BOOTSTRAP_SERVERS"].split(",")
    told = [one["environment"]["KAFKA_ADVERTISED_LISTENERS"].removeprefix("PLAINTEXT://") for one in brokers.values()]
    assert asked == told, (asked, told)


def certificates():
    """each node gets a certificate of one authority and one server key; a node can be added"""
    with tempfile.TemporaryDirectory(prefix="soma-test-") as folder:
        def make(*names):
            subprocess.run(["sh", os.path.join(ROOT, "docs", "cluster-certificates.sh"), folder, *names], check=True,
                           capture_output=True, timeout=60)
        make("node-1", "node-2")
        first = open(os.path.join(folder, "node-1", "node.pem")).read()
        make("node-1", "node-3")
        assert open(os.path.join(folder, "node-1", "node.pem")).read() == first
        keys = set()
        for name in ("node-1", "node-2", "node-3"):
            here = os.path.join(folder, name)
            subprocess.run(["openssl", "verify", "-CAfile", os.path.join(here, "ca.pem"),
                            os.path.join(here, "node.pem")], check=True, capture_output=True, timeout=60)
            keys.add(open(os.path.join(here, "server.key"), "rb").read())
            assert os.stat(os.path.join(here, "node.key")).st_mode & 0o77 == 0
        assert len(keys) == 1 and len(keys.pop()) == 32


sys.exit(run_tests([names, ports, certificates]))
