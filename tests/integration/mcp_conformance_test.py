"""The client of MCP servers against the conformance suite of the Model Context Protocol: what each
revision requires of clients. What is not passed is listed in tests/mcp/not_passed.txt with its reason,
and this fails when that changes either way."""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import BIN, run_tests

PACKAGES = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "mcp"))
SUITE = os.path.join(PACKAGES, "node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js")
CLIENT = os.path.abspath(os.path.join(BIN, "mcp_conformance_client"))


def suite(*args):
    with tempfile.TemporaryDirectory(prefix="soma-mcp-") as folder:
        return subprocess.run(["node", "--import", os.path.join(PACKAGES, "node_hooks.mjs"), SUITE, *args],
                              cwd=folder, capture_output=True, text=True, timeout=600)


def not_passed(revision):
    with open(os.path.join(PACKAGES, "not_passed.txt")) as file:
        lines = [line.split("#")[0].split() for line in file]
    return {line[1] for line in lines if line and line[0] in (revision, "both")}


def judge(revision):
    ran = suite("client", "--command", CLIENT, "--requirements", revision)
    summary = ran.stdout.partition("=== SUITE SUMMARY ===")[2]
    found = re.findall(r"^(✓|✗) (\S+): (\d+) passed, (\d+) failed", summary, re.M)
    assert len(found) > 10, (ran.stdout + ran.stderr)[-2000:]
    good = {name for mark, name, passed, _ in found if mark == "✓" and passed != "0"}
    bad = {name for _, name, _, _ in found} - good
    oauth = {name for name in good | bad if name.startswith("auth/")}
    listed = not_passed(revision)
    if "auth/" in listed:
        listed = listed - {"auth/"} | oauth
    assert bad == listed, f"not passed and not listed: {bad - listed}; listed: {listed - bad}"


def modern():
    """what revision 2026-07-28 requires of clients, but for what is listed"""
    judge("2026-07-28")


def legacy():
    """what revision 2025-11-25 requires of clients, but for what is listed"""
    judge("2025-11-25")


if __name__ == "__main__":
    sys.exit(run_tests([modern, legacy]))
