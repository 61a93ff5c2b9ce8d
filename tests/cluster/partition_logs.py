#!/usr/bin/env python3
"""Logs with the verdict of partition_rule.py on each of their records, one a line, for partition_rule_test.cpp.

  python3 partition_logs.py FIRST COUNT     COUNT logs of the simulation, then COUNT of records that nobody would write

  log NAME
  claim OFFSET REPLACES OWNER TAG VERDICT EPOCH
  atom OFFSET CLAIM N TIME SESSION EXPECTED KEY EVENTS VERDICT DETAIL…
  history SESSION SEQ EPOCH WHAT            one for each event, at the end of its log

- stands for none. VERDICT: counted HEAD, refused head HEAD, refused exists SESSION SEQ, void.
"""
import random, sys
from partition_rule import State, World, apply


def text(x): return "-" if x is None else str(x)


def told(verdict, detail):
    if verdict == "void": return "void"
    if verdict == "counted": return f"counted {detail}"
    return f"refused head {detail[1]}" if detail[0] == "head" else f"refused exists {detail[1][0]} {detail[1][1]}"


def judged(name, records):
    print("log", name)
    s = State()
    for offset, r in enumerate(records):
        verdict, detail = apply(s, offset, r)
        if r["type"] == "claim":
            print("claim", offset, text(r["replaces"]), r["owner"], r["tag"], verdict, s.epoch)
        else:
            print("atom", offset, text(r["claim"]), r["n"], r["time"], r["session"], text(r["expected"]), text(r["key"]), ",".join(r["events"]) or "-", told(verdict, detail))
    for e in s.history: print("history", *e)


def simulated(seed):
    w = World(seed)
    w.run()
    return w.log


def strange(seed):
    """Records as no node would write them: any claim of the past, any n, any head, keys again and again, several events
    or none. None of a claim that has not been written, which the C++ core holds to be of another log."""
    r, records, s = random.Random(seed), [], State()
    for offset in range(120):
        claims = [i for i, x in enumerate(records) if x["type"] == "claim"]
        if r.random() < 0.15 or not claims:
            before = s.claim if r.random() < 0.6 else r.choice([None] + [c for c in claims if c <= (s.claim if s.claim is not None else -1)])
            x = {"type": "claim", "replaces": before, "owner": r.choice("ABC"), "tag": offset, "epoch": s.epoch + 1}
        else:
            mine = s.claim if r.random() < 0.85 else r.choice([c for c in claims if c <= s.claim])
            head = s.heads.get("x", 0)
            x = {"type": "atom", "claim": mine, "n": s.n + 1 if r.random() < 0.85 else r.randint(0, s.n + 3), "time": r.randint(0, 50), "session": r.choice("xyz"), "key": r.choice([None, None] + [f"k{i}" for i in range(6)]), "events": [f"e{offset}.{i}" for i in range(r.choice([0, 1, 1, 2, 3]))], "tag": offset}
            x["expected"] = r.choice([None, s.heads.get(x["session"], 0), s.heads.get(x["session"], 0), head, r.randint(0, 9)])
        records.append(x)
        apply(s, offset, x)
    return records


if __name__ == "__main__":
    first, count = int(sys.argv[1]), int(sys.argv[2])
    for seed in range(first, first + count):
        judged(f"simulated-{seed}", simulated(seed))
        judged(f"strange-{seed}", strange(seed))
