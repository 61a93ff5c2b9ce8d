#!/usr/bin/env python3
"""The changelog's rule as an executable specification: what every reader of a partition does with every record.

  python3 partition_rule.py [SEEDS]      simulates; prints what each planted weakness would cost
  python3 partition_rule.py SEED SEED+1  one seed, told step by step

`apply` is the rule: a pure function of the state so far and a record, with no clock, disk, setting or delivery report.
The simulation below it loses, delays, doubles and reorders between producers what nodes send, pauses them, and lets two
believe that they own. It checks: what a client was told is kept is in the history, once; what any reader showed stays;
one key, one effect; seq dense. src/cluster/partition_core may differ from it in form, not in verdicts: partition_logs.py writes logs and verdicts that it is compared with.
"""
import random, sys
from copy import deepcopy


class State:
    """What a reader knows after the records it has read."""
    def __init__(self):
        self.claim = None    # offset of the newest counted claim
        self.epoch = 0
        self.owner = None
        self.n = 0           # of the last counted record of that claim
        self.time = 0
        self.heads = {}      # session -> seq
        self.keys = {}       # idempotency key -> (session, first seq)
        self.history = []    # (session, seq, epoch, what)


def apply(s, offset, r, weak=()):
    """Returns (verdict, detail): counted, refused (counted, but its atom changes nothing), or void (as if never written)."""
    if r["type"] == "claim":
        if r["replaces"] != s.claim and "epochs are identity" not in weak: return "void", "it replaces a claim that is no longer the newest"
        s.claim, s.owner, s.epoch, s.n = offset, r["owner"], (r["epoch"] if "epochs are identity" in weak else s.epoch + 1), 0
        return "counted", None
    if "epochs are identity" in weak:
        if r["epoch"] != s.epoch: return "void", "of an older epoch"
    elif r["claim"] != s.claim: return "void", "of an older claim"
    if r["n"] != s.n + 1 and "no n at all" not in weak: return "void", "a gap or a copy"
    s.n = r["n"]; s.time = max(s.time, r["time"])
    if r.get("key") is not None and "keys are overwritten" not in weak and r["key"] in s.keys: return "refused", ("exists", s.keys[r["key"]])
    head = s.heads.get(r["session"], 0)
    if r["expected"] is not None and r["expected"] != head: return "refused", ("head", head)
    for what in r["events"]:
        head += 1; s.history.append((r["session"], head, s.epoch, what))
    s.heads[r["session"]] = head
    if r.get("key") is not None: s.keys[r["key"]] = (r["session"], head)
    return "counted", head


class Node:
    def __init__(self, name, world): self.name, self.w, self.s, self.at, self.mine, self.n, self.flight, self.paused, self.epoch = name, world, State(), 0, None, 0, {}, 0, 0
    def owns(self): return self.mine is not None and (self.s.claim == self.mine or ("epochs are identity" in self.w.weak and self.s.epoch == self.epoch))
    def claim(self): self.w.send({"type": "claim", "replaces": self.s.claim, "epoch": self.s.epoch + 1, "owner": self.name, "tag": self.w.tag()}, self)
    def submit(self, op):
        """An owner admits against heads as its flight will leave them, then sends; the answer comes by application alone."""
        head = self.s.heads.get(op["session"], 0) + sum(1 for x in self.flight.values() if x["session"] == op["session"])
        self.n += 1; tag = self.w.tag(); self.flight[tag] = op
        self.w.send({"type": "atom", "claim": self.mine, "epoch": self.epoch, "n": self.n, "time": self.w.now, "session": op["session"], "expected": None if op.get("unguarded") else head, "events": [op["id"]], "key": op["key"], "tag": tag}, self)
        if "answer by delivery report" in self.w.weak and self.w.r.random() < 0.5: self.w.answer(op, "kept")
    def read(self):
        """Applies the next record; tells outstanding operations what became of them."""
        if self.at >= len(self.w.log): return
        r = self.w.log[self.at]; before = self.s.claim; verdict, detail = apply(self.s, self.at, r, self.w.weak); self.at += 1
        if verdict == "counted" and r["type"] == "claim":
            if r["owner"] == self.name and r["tag"] in self.w.claims_of.get(self.name, ()): self.mine, self.n, self.epoch = self.at - 1, 0, self.s.epoch
            elif not ("epochs are identity" in self.w.weak and r["epoch"] == self.epoch): self.mine = None
            for op in self.flight.values(): self.w.answer(op, "not written")
            self.flight = {}
        elif r.get("tag") in self.flight:
            op = self.flight.pop(r["tag"])
            self.w.answer(op, "kept" if verdict == "counted" or (verdict == "refused" and detail[0] == "exists") else "not written")
            if verdict == "void" and self.owns(): self.claim()  # a gap: all that follows is void until the next claim
        self.w.showed(self)


class World:
    def __init__(self, seed, weak=(), tell=False):
        self.r, self.weak, self.tell, self.now, self.tags = random.Random(seed), weak, tell, 0, 0
        self.log, self.wire, self.claims_of, self.told, self.ops = [], [], {}, {}, {}; self.nodes = [Node(x, self) for x in "ABC"]; self.longest = []
    def tag(self): self.tags += 1; return self.tags
    def say(self, *a):
        if self.tell: print(f"{self.now:5}", *a)
    def send(self, r, node):
        if r["type"] == "claim": self.claims_of.setdefault(node.name, set()).add(r["tag"])
        x = self.r.random(); late = self.now + self.r.choice([0, 0, 0, 1, 3, 12])
        if x < 0.06: return self.say(node.name, "loses", r)
        # a producer keeps its order while it lives; what was delayed on the way may still come after newer claims
        last = max([t for t, p, _ in self.wire if p is node] or [0]); self.wire.append((max(late, last), node, r))
        if x > 0.94: self.wire.append((max(late, last) + self.r.choice([0, 2, 9]), node, deepcopy(r)))
    def answer(self, op, how):
        self.say("answer", op["id"], how)
        if how == "kept": self.told[op["id"]] = True
        elif op["key"] is not None and op["id"] not in self.told: op["again"] = True  # its client asks again, with the same key
    def showed(self, node):
        h = [(a, b, d) for a, b, _, d in node.s.history]; k = min(len(h), len(self.longest)); assert h[:k] == self.longest[:k], "a reader shows another history"
        if len(h) > len(self.longest): self.longest = h
    def run(self, steps=220):
        for self.now in range(steps):
            due = [w for w in self.wire if w[0] <= self.now]; self.wire = [w for w in self.wire if w[0] > self.now]
            self.log += [r for _, _, r in sorted(due, key=lambda w: w[0])]
            for n in self.nodes:
                if n.paused: n.paused -= 1; continue
                if self.r.random() < 0.02: n.paused = self.r.randint(5, 40); continue
                for _ in range(self.r.randint(0, 4)): n.read()
                if not n.owns() and self.r.random() < (0.5 if n.s.claim is None else 0.02): n.claim()
                if n.owns() and self.r.random() < 0.4 and self.now < steps - 60:
                    again = [o for o in self.ops.values() if o.pop("again", None)]
                    for o in again or [self.new()]: n.submit(o)
                    eager = [o for o in self.ops.values() if o["key"] is not None and o["id"] not in self.told]
                    if eager and self.r.random() < 0.3: n.submit(self.r.choice(eager))  # a client that does not wait
        for n in self.nodes:
            n.paused = 0
            while n.at < len(self.log) or False: n.read()
        self.log += [r for _, _, r in self.wire]
        for n in self.nodes:
            while n.at < len(self.log): n.read()
        self.check()
    def new(self):
        i = len(self.ops) + 1; self.ops[i] = {"id": f"op{i}", "key": f"k{i}" if self.r.random() < 0.6 else None, "session": self.r.choice("xyz"), "unguarded": self.r.random() < 0.5}; return self.ops[i]
    def check(self):
        final = self.nodes[0].s; assert all(n.s.history == final.history for n in self.nodes), "readers disagree"
        times = {}
        for _, _, _, what in final.history: times[what] = times.get(what, 0) + 1
        for o in self.ops.values():
            if self.told.get(o["id"]): assert times.get(o["id"], 0) >= 1, f"{o['id']} was told kept and is not there"
            assert times.get(o["id"], 0) <= 1, f"{o['id']} is there {times.get(o['id'])} times"
        for s in "xyz":
            seqs = [b for a, b, _, _ in final.history if a == s]; assert seqs == list(range(1, len(seqs) + 1)), "seq is not dense"


def trial(seeds, weak=()):
    bad = {}
    for seed in seeds:
        try: World(seed, weak).run()
        except AssertionError as e: bad.setdefault(str(e).split(" ", 1)[1] if str(e).startswith("op") else str(e), seed)
    return bad


if __name__ == "__main__":
    if len(sys.argv) == 3: World(int(sys.argv[1]), tell=True).run(); sys.exit(print("holds"))
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 2000; bad = trial(range(n)); print(f"the rule: {n} seeds, " + (f"BROKEN {bad}" if bad else "holds"))
    for weak in ("epochs are identity", "no n at all", "keys are overwritten", "answer by delivery report"): print(f"with '{weak}': " + str(trial(range(min(n, 600)), (weak,)) or "nothing found"))
    sys.exit(bool(bad))
