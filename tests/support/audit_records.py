"""What a node recorded: the lines of its chain, and what `soma audit` says of it."""

import json
import os
import subprocess

from node_under_test import BIN, wait_until


def segments(node):
    folder = os.path.join(node.data_dir, "audit")
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))
            if name.endswith(".ndjson")]


def wait_for_records(node):
    """Records are written by a thread of their own."""
    if node.process and node.process.poll() is None:
        wait_until(lambda: "\nsoma_audit_records_waiting 0\n" in node.request("GET", "/metrics")[2],
                   what="the audit records")


def audit_text(node):
    text = ""
    for path in segments(node):
        with open(path) as file:
            text += file.read()
    return text


def flat(record):
    """With what `who`, `how` and `data` have as members of its own."""
    return {**record, **record.get("who", {}), **record.get("how", {}), **record.get("data", {})}


def audit_records(node):
    wait_for_records(node)
    return [flat(json.loads(line)) for line in audit_text(node).splitlines(keepends=True)
            if line.endswith("\n")]


def soma_audit(node, *args):
    """(exit status, standard output, standard error)"""
    done = subprocess.run([os.path.join(BIN, "soma"), "audit", *args, "--data-dir", node.data_dir],
                          env=node.env, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr
