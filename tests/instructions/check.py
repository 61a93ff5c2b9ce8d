"""Instruction counts of fixed work, by callgrind, held against tests/instructions/baseline.txt. Times
lie on a shared machine; instructions do not. A count that moved by more than 5 % fails, up or down,
until it is accepted with its reason:

    python3 tests/instructions/check.py                       # as ./dev nightly does
    python3 tests/instructions/check.py --accept 'why' [NAME …]

A better count is to be accepted as well: the next one is held against it. The baseline names the
compiler it is of; with another one counts differ, and are told without a verdict.
"""

import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PROGRAM = os.path.join(os.environ.get("SOMA_BIN_DIR", os.path.join(ROOT, "build/release/bin")),
                       "instruction_counts")
BASELINE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "baseline.txt")
ALLOWED = 0.05
# Comparing a secret takes the same work wherever it differs from what is given: not one more.
ALIKE = "secret."
ALIKE_DIFFER = 1000  # of a thousand comparisons each: what is made of the answer
HEAD = """# Instructions of fixed work (tests/instructions/check.py): name, count, and why it is that.
# compiler: {compiler}
"""


def compiler():
    with open(os.path.join(ROOT, "build/release/CMakeCache.txt"), encoding="utf-8") as cache:
        found = re.search(r"^CMAKE_CXX_COMPILER:[A-Z]+=(.*)$", cache.read(), re.M)
    text = subprocess.run([found.group(1), "--version"], capture_output=True, text=True, check=True)
    return text.stdout.splitlines()[0]


def count(name):
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", "--toggle-collect=counted",
             f"--callgrind-out-file={folder}/out", PROGRAM, name],
            capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not found or int(found.group(1)) == 0:
        raise SystemExit(f"{name} was not counted:\n{run.stderr[-2000:]}")
    return int(found.group(1))


def read_baseline():
    of, entries = "", {}
    if os.path.exists(BASELINE):
        with open(BASELINE, encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("# compiler:"):
                    of = line.split(":", 1)[1].strip()
                elif line.strip() and not line.startswith("#"):
                    name, value, reason = line.split(None, 2)
                    entries[name] = (int(value), reason.strip())
    return of, entries


def write_baseline(of, entries):
    with open(BASELINE, "w", encoding="utf-8") as file:
        file.write(HEAD.format(compiler=of))
        for name, (value, reason) in entries.items():
            file.write(f"{name:<26}{value:>12}  {reason}\n")


def main(arguments):
    listed = subprocess.run([PROGRAM, "--list"], capture_output=True, text=True, check=True)
    names = listed.stdout.split()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(names, pool.map(count, names)))
    of, entries = read_baseline()
    ours = compiler()
    if arguments[:1] == ["--accept"]:
        if len(arguments) < 2 or not arguments[1].strip():
            raise SystemExit("--accept wants the reason")
        wanted = arguments[2:] or [n for n in names if n not in entries or of != ours
                                   or abs(counts[n] / entries[n][0] - 1) > ALLOWED]
        entries = {n: (counts[n], arguments[1].strip()) if n in wanted else entries[n]
                   for n in names if n in wanted or n in entries}
        write_baseline(ours, entries)
        print("accepted: " + (", ".join(wanted) or "nothing, all counts are within 5 %"))
        return 0
    passed = failed = 0
    for name in names:
        if name not in entries:
            print(f" FAIL {name}: {counts[name]:,} instructions, and none in the baseline")
            failed += 1
            continue
        change = counts[name] / entries[name][0] - 1
        told = f"{name}: {counts[name]:,} instructions, {change:+.1%}"
        if of != ours:
            print(f"  {told} (the baseline is of {of}, this of {ours}: no verdict)")
            passed += 1
        elif abs(change) > ALLOWED:
            print(f" FAIL {told}: more than {ALLOWED:.0%} from the baseline. Where it is meant: "
                  f"python3 tests/instructions/check.py --accept 'why' {name}")
            failed += 1
        else:
            print(f"  {told}")
            passed += 1
    alike = {n: counts[n] for n in names if n.startswith(ALIKE)}
    if alike and max(alike.values()) - min(alike.values()) > ALIKE_DIFFER:
        print(f" FAIL secrets take longer where they differ later: {alike}")
        failed += 1
    for name in entries.keys() - set(names):
        print(f" FAIL {name} is in the baseline and is not counted any more")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
