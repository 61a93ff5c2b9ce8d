"""The load harness as an instrument: what it counts is there, and a build is no other than itself.
Nothing is timed; runs are as short as they can be."""

import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import BIN, run_tests

BENCH = os.path.join(BIN, "soma-bench")
QUICK = ["--quick", "--no-peers", "--seconds", "0.3"]


def bench(*words):
    with tempfile.TemporaryDirectory() as folder:
        figures = os.path.join(folder, "figures.json")
        run = subprocess.run([BENCH, *QUICK, "--json", figures, *words], capture_output=True,
                             text=True, timeout=300, check=False)
        assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-2000:]
        if not os.path.exists(figures):
            return run.stdout, {}
        with open(figures, encoding="utf-8") as file:
            return run.stdout, json.load(file)


def of(report, scenario):
    return {m["metric"]: m["systems"]["soma"]["median"] for m in report["metrics"]
            if m["scenario"] == scenario}


def counts():
    """an append's CPU and allocations are counted, and system calls where the kernel permits it"""
    _, report = bench("paths", "--path", "durable append")
    found = of(report, "paths")
    assert found["CPU"] > 0, found
    # One request in, one answer out and an event made durable: neither none nor thousands.
    assert 5 < found["allocations"] < 5000, found
    assert found["allocated"] > found["allocations"], found
    if "system calls" not in found:
        assert any("no system calls" in note for note in report["notes"]), report["notes"]
    else:
        assert 0.5 < found["system calls"] < 500, found


def compares():
    """two builds are told apart by ratio, interval and verdict, round by round"""
    page, _ = bench("compare", "--base", os.path.join(BIN, "soma"), "--only", "append",
                    "--rounds", "6")
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| appended")]
    assert len(rows) == 1, page
    cells = [cell.strip() for cell in rows[0]]
    ratio, interval = float(cells[4]), cells[5]
    low, high = (float(end) for end in interval.split(" … "))
    assert low <= ratio <= high, cells
    assert cells[7] in ("–", "**better**", "**worse**"), cells


def slow_disk_and_long_sessions():
    """a slow disk, a session that left memory and many slow answers are measured without a fault"""
    _, report = bench("slow_disk")
    assert {m["metric"] for m in report["metrics"]} >= {"GET /healthz p99", "appended"}
    _, report = bench("activate")
    assert of(report, "activate")["first command, passive"] > 0
    _, report = bench("streaming", "--streaming-seconds", "3")
    assert of(report, "streaming")["sessions active"] > 0


if __name__ == "__main__":
    sys.exit(run_tests([counts, compares, slow_disk_and_long_sessions]))
