"""The checker of the fault tests finds what it is there for: histories with one fault planted in each, and a whole one
without. And the proxy that cuts: what is held arrives later, one way or both, and nothing is lost."""

import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cluster_checker import Log, Reader, Said, check, check_elsewhere
from cutting_proxy import CuttingProxy, delay, hold, refuse
from node_under_test import free_port, run_tests, wait_until


def event(seq, kind, epoch=1, **payload):
    return {"meta": {"event_id": f"{epoch}.{seq}"}, "type": kind, "payload": payload}


def turn(seq, n, epoch=1):
    """What a turn of two deltas leaves, from `seq` on."""
    return [event(seq, "message.user", epoch, message_id=f"u{n}", text=f"question {n}"),
            event(seq + 1, "llm.delta", epoch, message_id=f"a{n}", offset=0, text="one "),
            event(seq + 2, "llm.delta", epoch, message_id=f"a{n}", offset=4, text="two"),
            event(seq + 3, "message.assistant", epoch, message_id=f"a{n}", turn_id=f"u{n}", text="one two", final=True)]


class World:
    """A whole history of two turns, read by one reader and kept by two nodes; a test spoils one thing."""

    def __init__(self):
        self.events = turn(1, 1) + turn(5, 2, epoch=2)
        self.seen, self.other = list(self.events), None
        self.said = [Said("s", f"question {n}", "accepted", "S", f"u{n}", words=2) for n in (1, 2)]
        self.resets, self.refused, self.ran, self.tables = [], {}, [], {"a": {"t": {1: 2}}, "b": {"t": {1: 2}}}

    def findings(self):
        reader = Reader("S")
        for one in self.seen:
            reader.track.add(one)
        for where in self.resets:
            reader.reset(where, "b")
            for one in self.events:
                if one["meta"]["event_id"] > where:
                    reader.track.add(one)
        reader.refused.update(self.refused)
        logs = {"a": {"S": Log("a", self.events)}, "b": {"S": Log("b", self.other or self.events)}}
        return check(self.said, logs, [reader], self.tables, self.ran)

    def spoil(self, wanted, *more):
        """Exactly what was planted is found, whatever else follows from it."""
        found = self.findings()
        for words in (wanted, *more):
            assert any(words in one for one in found), f"'{words}' is not in {found}"


def log_with(world, change):
    change(world.events)
    world.seen = list(world.events)
    return world


def whole():
    """a whole history has no finding"""
    assert World().findings() == []


def lost():
    """a message that was accepted and is not in the log is found, and so are one twice and one that nobody said"""
    world = World()
    world.events = world.seen = world.events[:4]
    world.spoil("lost: u2", "message u2 has 0 final answers")
    world = log_with(World(), lambda events: events.append(
        event(9, "message.user", 2, message_id="u1", text="question 1")))
    world.spoil("a message twice in S: u1", "said once and there 2 times")
    world = log_with(World(), lambda events: events.append(
        event(9, "message.user", 2, message_id="u9", text="who said that?")))
    world.spoil("a message that nobody said")
    strange = Log("a", [event(1, "message.user", message_id="u7", text="question 1")])
    assert len(check_elsewhere(World().said, {"T": strange})) == 1, "a message that made two sessions"
    assert check_elsewhere(World().said, {"T": Log("a", [event(1, "message.user", message_id="u7", text="?")])}) == []
    world = World()
    world.said.reverse()
    world.spoil("in another order")
    world = World()
    world.said[1].outcome = "unknown"
    assert world.findings() == [], "what nobody knows of may be there"


def log_broken():
    """a gap, an id given twice and an older claim's event in a log are found"""
    log_with(World(), lambda events: events.pop(2)).spoil("event 1.4 where number 3 should be")
    log_with(World(), lambda events: events.insert(2, events[1])).spoil("event 1.2 where number 3 should be")
    log_with(World(), lambda events: events.__setitem__(
        slice(0, 4), turn(1, 1, epoch=3))).spoil("older claim")


def reader_wrong():
    """a reader who misses an event, sees one twice, two swapped, other words, too few or too many is found"""
    def planted(change, wanted):
        world = World()
        change(world.seen)
        world.spoil(wanted)
    planted(lambda seen: seen.pop(3), "1.4 is missing before 2.5")
    planted(lambda seen: seen.insert(3, seen[2]), "1.3 again")
    planted(lambda seen: seen.__setitem__(slice(2, 4), [seen[3], seen[2]]), "1.3 is missing before 1.4")
    planted(lambda seen: seen.__setitem__(slice(3, 5), [seen[3], seen[2]]), "1.3 again, or out of order")
    planted(lambda seen: seen.__setitem__(1, event(2, "llm.delta", message_id="a1", offset=0, text="ONE ")),
            "other words")
    planted(lambda seen: seen.__setitem__(4, event(5, "message.user", 1, message_id="u2", text="question 2")),
            "1.5 where a has 2.5")
    planted(lambda seen: seen.pop(), "1 events short")
    planted(lambda seen: seen.append(event(9, "error", 2)), "2.9 is not at a")
    world = World()
    world.resets = ["1.3"]
    world.spoil("was reset by b from 2.8 to 1.3")
    assert len(world.findings()) == 1, "what came again after it was dropped is no fault"
    world = World()
    world.refused = {404: 2, 503: 7}
    world.spoil("refused with 404 2 times")
    assert len(world.findings()) == 1, "503 is no fault"


def answer_wrong():
    """an answer that has no end, two ends, another text than its deltas, or is cut short is found"""
    log_with(World(), lambda events: events.pop()).spoil("message u2 has 0 final answers")
    log_with(World(), lambda events: events.append(
        event(9, "message.assistant", 2, message_id="a9", turn_id="u2", text="one two", final=True))).spoil("2 final answers")
    log_with(World(), lambda events: events.__setitem__(
        2, event(3, "llm.delta", message_id="a1", offset=4, text="six"))).spoil("the deltas of a1")
    log_with(World(), lambda events: events.__setitem__(
        2, event(3, "llm.delta", message_id="a1", offset=9, text="two"))).spoil("a hole before byte 9")
    world = World()
    world.said[0].words = 3
    world.spoil("has 2 words of 3")


def nodes_differ():
    """nodes whose logs or tables differ are found"""
    world = World()
    world.other = world.events[:-1]
    world.spoil("1 events short")
    world = World()
    world.other = turn(1, 1) + turn(5, 2, epoch=3)
    world.spoil("where a has 2.5")
    world = World()
    world.tables["b"]["t"] = {1: 3, 4: 5}
    world.spoil("t: 1 differs", "t: 4 only at b")


def effects_twice():
    """what ran twice, and a call without a result or with two, is found"""
    world = World()
    world.ran = ["x", "y", "x"]
    world.spoil("ran 2 times: x")
    log_with(World(), lambda events: events.append(event(9, "tool.call", 2, tool_call_id="c"))).spoil("no result of c")
    log_with(World(), lambda events: events.extend(
        event(9 + i, "tool.result", 2, tool_call_id="c", status="success") for i in range(2))).spoil(
            "two results of c", "which was not called")


class Echo:
    """Sends back what comes."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        while piece := client.recv(4096):
            client.sendall(piece)
        client.close()


SOON_S, NOT_S = 30, 0.3  # what comes has so long on a busy machine; what does not is waited for so long


def takes(client, what, seconds=SOON_S):
    """Seconds until it came back; None: it did not in time."""
    began, got = time.monotonic(), b""
    client.settimeout(seconds)
    try:
        while len(got) < len(what):
            got += client.recv(1 << 16)
        assert got == what, got
        return time.monotonic() - began
    except TimeoutError:
        assert not got, got
        return None


def is_closed(client):
    client.settimeout(SOON_S)
    try:
        return client.recv(10) == b""
    except ConnectionResetError:
        return True


def proxy_cuts():
    """the proxy passes bytes, holds them one way or both until the cut ends, delays, and closes"""
    echo, proxy, port = Echo(), CuttingProxy(), free_port()
    try:
        proxy.door("echo", port, echo.port)
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"one")
        assert takes(client, b"one") is not None
        for rules in (hold("others", "echo"), hold("others", "echo", both=False), hold("echo", "*", both=False)):
            proxy.rules(rules)
            before = proxy.counts()
            client.sendall(b"two")
            if rules[0]["from"] == "echo":  # it gets there, and what comes back is held
                wait_until(lambda: proxy.counts()["others>echo"] == before["others>echo"] + 3, SOON_S, "the bytes")
            assert takes(client, b"two", NOT_S) is None
            assert proxy.counts()["echo>others"] == before["echo>others"]
            if rules[0]["from"] != "echo":
                assert proxy.counts()["others>echo"] == before["others>echo"]
            proxy.rules()
            assert takes(client, b"two") is not None
        proxy.rules(delay("others", "echo", 200))
        client.sendall(b"three")
        assert takes(client, b"three") >= 0.2
        proxy.rules(refuse("others", "echo"))
        assert is_closed(client) and is_closed(socket.create_connection(("127.0.0.1", port)))
        proxy.rules()
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"x" * 100_000)
        client.shutdown(socket.SHUT_WR)
        assert takes(client, b"x" * 100_000) is not None and is_closed(client), "an end is passed on"
    finally:
        proxy.stop()


sys.exit(run_tests([whole, lost, log_broken, reader_wrong, answer_wrong, nodes_differ, effects_twice, proxy_cuts]))
