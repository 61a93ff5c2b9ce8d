#!/usr/bin/env python3
"""Two nodes as processes over a real broker: the owner is killed, and stopped and let go on, while both
append, and change what their sessions brought as documents. What was acknowledged is there once at each,
whoever acknowledged it; histories, documents and digests are equal, also at a node that reads all from the
beginning; nothing of an owner that was replaced counts; who counts in a document undoes no other's count.

  takeover_test.py REPLICA_NODE     (SOMA_TEST_KAFKA names the broker; see kafka_broker.py)
"""
import collections
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time

PARTITIONS, SESSIONS, KILLS = 3, 6, int(os.environ.get("SOMA_TAKEOVERS", "4"))
WAIT_S = 40


class Node:
    def __init__(self, program, topic, name, folder, rank):
        self.args = [program, os.environ["SOMA_TEST_KAFKA"], topic, name, os.path.join(folder, name),
                     str(PARTITIONS), str(rank), str(SESSIONS)]
        self.name, self.acks, self.refusals, self.lines = name, [], collections.Counter(), None
        self.last_ack, self.counted, self.perhaps = 0.0, 0, 0

    def start(self):
        self.lines = queue.Queue()
        self.process = subprocess.Popen(self.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, args=(self.process, self.lines), daemon=True).start()
        self.expect("ready")

    def read(self, process, lines):
        for line in process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "ack":
                session, seq, text = rest.split(" ")
                self.last_ack = time.monotonic()
                self.acks.append((session, int(seq), text))
            elif word == "counted":
                self.counted += 1
            elif word == "perhaps":
                self.perhaps += 1
            elif word == "no":
                self.refusals[rest] += 1
            else:
                lines.put(line.rstrip("\n"))
        lines.put(None)

    def expect(self, wanted):
        found = []
        while True:
            line = self.lines.get(timeout=WAIT_S)
            assert line is not None, f"{self.name} ended before '{wanted}'"
            if line == wanted:
                return found
            found.append(line)

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        if how == signal.SIGKILL:
            self.process.wait()

    def dump(self):
        self.say("dump")
        return self.expect("end")


def acks_again(node, since):
    """Seconds until the node acknowledged something it began to after `since`."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        if node.last_ack > since:
            return node.last_ack - since
        time.sleep(0.005)
    raise AssertionError(f"{node.name} acknowledged nothing for {WAIT_S} s: {dict(node.refusals)}")


def settle(nodes):
    """Nobody appends any more; all have read to the same place."""
    for node in nodes:
        node.say("stop")
    for node in nodes:
        node.expect("stopped")
    until = time.monotonic() + WAIT_S
    while True:
        dumps = [node.dump() for node in nodes]
        # Signs of life go on, so that only the places may differ for a moment.
        if all(d == dumps[0] for d in dumps):
            return dumps[0]
        assert time.monotonic() < until, "the nodes do not come to the same history"
        time.sleep(0.05)


def check(history, nodes):
    events = collections.defaultdict(list)
    for line in history:
        if line.startswith("partition "):
            assert line.endswith("stopped -"), line
        if line.startswith("event "):
            _, session, event_id, text = line.split(" ")
            events[session].append((event_id, text))
    texts = [(session, text) for session, rows in events.items() for _, text in rows]
    assert len(texts) == len(set(texts)), "an append is there twice"
    for session, rows in events.items():
        assert [int(i.split(".")[1]) for i, _ in rows] == list(range(1, len(rows) + 1)), "a gap"
        epochs = [int(i.split(".")[0]) for i, _ in rows]
        assert epochs == sorted(epochs), "an older claim's event behind a newer's"
    acknowledged = [a for node in nodes for a in node.acks]
    assert len(acknowledged) == len(set(acknowledged))
    for session, seq, text in acknowledged:
        assert events[session][seq - 1][1] == text, f"acknowledged and not there: {session} {seq} {text}"
    return len(acknowledged), len(texts)


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        topic = f"takeover.{os.getpid()}"
        nodes = [Node(program, topic, "a", folder, 0), Node(program, topic, "b", folder, 1)]
        for node in nodes:
            node.start()
        owner, other = nodes
        acks_again(owner, time.monotonic())
        took = []
        for n in range(KILLS):
            time.sleep(0.3)
            since = time.monotonic()
            owner.kill()
            took.append(acks_again(other, since))
            owner.start()
            owner, other = other, owner
        print("killed:", " ".join(f"{t:.2f} s" for t in took), "until the next acknowledgement")
        since = time.monotonic()
        owner.kill(signal.SIGSTOP)
        took = acks_again(other, since)
        time.sleep(2)
        before = len(owner.acks)
        owner.kill(signal.SIGCONT)
        time.sleep(1)
        print(f"stopped: {took:.2f} s; let go on: {len(owner.acks) - before} acknowledgements, "
              f"refused {dict(owner.refusals)}")
        late = Node(program, topic, "late", folder, 9)  # of claims: it never has its turn
        late.start()
        history = settle(nodes + [late])
        acknowledged, events = check(history, nodes)
        documents = [line for line in history if line.startswith("document ")]
        count = int(documents[-1].rpartition(" ")[2])
        counted, perhaps = sum(n.counted for n in nodes), sum(n.perhaps for n in nodes)
        # One that was killed may have counted what it could not tell any more.
        assert counted <= count <= counted + perhaps + KILLS + 1, f"{counted} counted, {count} there"
        print(f"{len(documents)} documents, the same at all; {counted} counted, {count} there")
        print(f"{acknowledged} acknowledged, {events} there, each once; 1 passed, 0 failed")
        for node in nodes + [late]:
            node.say("quit")
            assert node.process.wait(WAIT_S) == 0


if __name__ == "__main__":
    main()
