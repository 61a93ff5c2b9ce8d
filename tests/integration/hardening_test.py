"""What an attacker of the programs would look for first: how they were built, and the unit that runs them."""

import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import BIN, run_tests

UNITS = os.path.join(os.path.dirname(__file__), "..", "..", "config/systemd")
PROGRAMS = ("soma", "soma-extract", "soma-egress")


def said(*command, env=None):
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})}, timeout=120).stdout


def programs():
    """hardening: position independent, relocations read-only, no stack that runs, with stack protectors and fortified calls"""
    for name in PROGRAMS:
        path = os.path.join(BIN, name)
        assert re.search(r"Type:\s+DYN", said("readelf", "-hW", path)), f"{name} is not position independent"
        segments = said("readelf", "-lW", path)
        assert "GNU_RELRO" in segments, f"{name}: relocations can be written"
        assert re.search(r"GNU_STACK.*RW ", segments), f"{name}: its stack can be run"
        assert re.search(r"BIND_NOW|FLAGS.*NOW", said("readelf", "-dW", path)), f"{name} binds late"
        symbols = said("readelf", "--dyn-syms", "-W", path)
        if "__asan_init" in symbols:  # built to find faults, not to be run
            continue
        assert "__stack_chk_fail" in symbols, f"{name} has no stack protectors"
        assert re.search(r"__\w+_chk\b(?<!__stack_chk)", symbols), f"{name} has no fortified calls"


def unit():
    """hardening: the unit for systemd is exposed by at most 2.0, as systemd counts it"""
    if not shutil.which("systemd-analyze"):
        print("skip  systemd-analyze: not installed")
        return
    text = said("systemd-analyze", "security", "--offline=yes", os.path.join(UNITS, "soma.service"))
    level = re.search(r"Overall exposure level for soma.service: ([\d.]+)", text)
    assert level and float(level[1]) <= 2.0, text[-300:]


if __name__ == "__main__":
    sys.exit(run_tests([programs, unit]))
