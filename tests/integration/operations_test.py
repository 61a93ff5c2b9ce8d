"""What an operator runs into: a log that nobody reads, signals, a disk that fills up, files that are
rotated; and what health, metrics and the log say of it."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from audit_records import audit_records, audit_text, soma_audit
from held_disk import HeldDisk
from node_under_test import BIN, Node, Rehearsal, run_tests, wait_until

rehearsal = None
ASK = {"messages": [{"role": "user", "content": "[[rehearsal words=1 delay_ms=0]]"}]}


def new_node(*settings, **more):
    return Node(rehearsal.base_url, settings=settings, **more)


def invoke(node, **more):
    return node.request("POST", "/v1/llm/invoke", {**ASK, **more})[0]


def metric(node, row):
    found = re.search(rf"^{re.escape(row)} (\S+)$", node.request("GET", "/metrics")[2], re.MULTILINE)
    assert found, f"no {row}"
    return float(found[1])


def component(node, name):
    return node.json("GET", "/v1/health", expect=200)["components"][name]


def log_nobody_reads():
    """a standard error that nobody reads stops nothing, and a signal ends the server in order"""
    node = new_node()
    out, into = os.pipe()
    # Full to the last byte from the start, by another opening of the same pipe.
    with open(f"/proc/self/fd/{into}", "wb", buffering=0,
              opener=lambda path, flags: os.open(path, os.O_WRONLY | os.O_NONBLOCK)) as filler:
        while filler.write(b"." * 4096):
            pass
    node.process = subprocess.Popen(
        [os.path.join(BIN, "soma"), "serve", "--data-dir", node.data_dir, "--port", str(node.port)],
        env={**node.env, "SOMA_LOG_LEVEL": "info"}, stdout=node.log, stderr=into)
    wait_until(node.is_ready, what="the server")
    for _ in range(100):  # each is a line of the log
        assert invoke(node, overrides={"model": "another"}) == 200
    assert node.request("GET", "/metrics")[0] == 200
    assert node.request("GET", "/healthz", key=None)[0] == 200
    assert node.stop() == 0
    os.close(out)
    os.close(into)


def events_are_told_at_a_bounded_rate():
    """an event that repeats is told some times a second, and then how often it was held back"""
    node = new_node().start()
    for _ in range(60):
        assert invoke(node, overrides={"model": "another"}) == 200
    def lines():
        found = [json.loads(line) for line in node.log_text().splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == "model_lock.violation"]
    def told():
        invoke(node, overrides={"model": "another"})
        return any(line.get("held_back", 0) > 0 for line in lines())
    wait_until(told, what="a line that says what was held back")
    assert node.stop() == 0


def quit_and_hang_up():
    """HUP takes up a rotated copy of the audit and goes on; QUIT ends it in order"""
    audit = os.path.join(tempfile.mkdtemp(prefix="soma-test-"), "audit.ndjson")
    node = new_node(f"audit.file={audit}").start()
    assert invoke(node) == 200
    wait_until(lambda: metric(node, "soma_audit_records_waiting") == 0, what="the record")
    wait_until(lambda: "llm.invoke" in open(audit).read(), what="the copy")
    before = open(audit).read()
    assert before.count("llm.invoke") == 1
    os.rename(audit, audit + ".1")
    node.process.send_signal(signal.SIGHUP)
    def taken_up():
        assert invoke(node) == 200
        return os.path.exists(audit) and "llm.invoke" in open(audit).read()
    wait_until(taken_up, what="a record in the new file")
    assert node.process.poll() is None
    node.process.send_signal(signal.SIGQUIT)
    assert node.process.wait(30) == 0
    copied = open(audit + ".1").read() + open(audit).read()
    assert copied == audit_text(node), "the copy is another"
    shutil.rmtree(os.path.dirname(audit))


def closed_terminal():
    """HUP of a terminal that was closed ends the server in order; while it is open, files are taken up"""
    ours, its = pty.openpty()
    node = new_node(env={"SOMA_LOG_LEVEL": "info"})
    node.start(stdin=its)
    os.close(its)
    node.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "server.reloading" in node.log_text(), what="the files to be taken up")
    assert node.process.poll() is None
    os.close(ours)
    node.process.send_signal(signal.SIGHUP)
    assert node.process.wait(30) == 0


def draining():
    """between the signal and the end readyz says 503, and requests are served; a second signal ends it"""
    node = new_node("shutdown.drain_s=300").start()
    node.process.send_signal(signal.SIGTERM)
    wait_until(lambda: node.request("GET", "/readyz", key=None)[0] == 503, what="503")
    assert json.loads(node.request("GET", "/readyz", key=None)[2])["code"] == "server.shutting_down"
    assert node.request("GET", "/healthz", key=None)[0] == 200
    assert node.say("while it drains")["session_id"]
    node.process.send_signal(signal.SIGTERM)
    assert node.process.wait(30) == 0


def full_store():
    """a store that refuses writes is told by health, metrics and the log, and its recovery is found"""
    disk = HeldDisk(rehearsal.base_url)
    node = disk.node
    row = 'soma_storage_failures_total{code="storage.full"}'
    assert component(node, "storage")["status"] == "ok" and metric(node, row) == 0
    assert node.json("GET", "/v1/health")["status"] == "ok"
    events = metric(node, "soma_append_events_total")
    disk.fill()
    status, _, text = node.request("POST", "/v1/sessions", {})
    assert status == 507, f"{status} {text}"
    assert component(node, "storage")["status"] == "degraded", component(node, "storage")
    assert node.json("GET", "/v1/health")["status"] == "degraded"
    assert metric(node, row) >= 1
    wait_until(lambda: '"storage.full"' in node.log_text(), what="a line of the log")
    # What was refused was not made durable.
    assert metric(node, "soma_append_events_total") == events
    disk.let_go()
    # Nobody writes: the server tries by itself.
    wait_until(lambda: component(node, "storage")["status"] == "ok", 60, "the recovery")
    node.json("POST", "/v1/sessions", {}, expect=201)
    disk.end()


def full_audit():
    """of an audit record all is written or nothing, and what could not be is written later"""
    disk = HeldDisk(rehearsal.base_url)
    node = disk.node
    assert invoke(node) == 200
    wait_until(lambda: metric(node, "soma_audit_records_waiting") == 0, what="the record")
    disk.fill("audit")
    for _ in range(5):
        assert invoke(node) == 200
    wait_until(lambda: component(node, "audit")["status"] == "degraded", what="health")
    wait_until(lambda: '"audit.not_written"' in node.log_text(), what="a line of the log")
    disk.let_go()
    wait_until(lambda: metric(node, "soma_audit_records_waiting") == 0, what="the records")
    assert [r["what"] for r in audit_records(node)].count("llm.invoke") == 6
    wait_until(lambda: component(node, "audit")["status"] == "ok", what="health")
    assert metric(node, "soma_audit_records_lost_total") == 0
    disk.end()
    status, out, err = soma_audit(node, "verify")
    assert status == 0, out + err


def failing_models():
    """a provider that fails is told by the log; what can fail is in the metrics before it does"""
    node = new_node("llm.retries=0").start()
    row = 'soma_llm_failures_total{code="llm.auth"}'
    assert metric(node, row) == 0 and metric(node, "soma_sessions_quarantined_total") == 0
    session = node.say("[[rehearsal status=401]]")["session_id"]
    wait_until(lambda: metric(node, row) == 1, what="the count")
    wait_until(lambda: '"llm.failed"' in node.log_text(), what="the line")
    line = next(json.loads(line) for line in node.log_text().splitlines() if '"llm.failed"' in line)
    assert line["code"] == "llm.auth" and line["session_id"] == session, line
    for name in ("soma_disk_free_bytes", "soma_store_bytes", "process_open_fds", "process_max_fds",
                 "process_resident_memory_bytes"):
        assert metric(node, name) > 0, name
    assert node.stop() == 0


def providers_in_labels():
    """a tenant's word for its provider is no label of a metric"""
    node = new_node().start()
    node.json("PUT", "/v1/model-profiles/mine", {
        "model": "rehearsal", "base_url": rehearsal.base_url, "provider": "a-word-of-ours"}, expect=200)
    assert invoke(node, profile="mine") == 200
    assert metric(node, 'soma_llm_invocations_total{outcome="ok",provider="other"}') == 1
    assert "a-word-of-ours" not in node.request("GET", "/metrics")[2]
    assert node.stop() == 0


if __name__ == "__main__":
    rehearsal = Rehearsal()
    try:
        status = run_tests([log_nobody_reads, events_are_told_at_a_bounded_rate, quit_and_hang_up,
                            closed_terminal, draining, full_store, full_audit, failing_models, providers_in_labels])
    finally:
        rehearsal.stop()
    sys.exit(status)
