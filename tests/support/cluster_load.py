"""Clients of a cluster under test: speakers who say one thing after another through any node, readers of each node, and
readers that hop. They keep what they saw for cluster_checker."""

import collections
import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time

from cluster_checker import Log, Reader, Said, assert_none, check, check_elsewhere, check_tables, split_id
from node_under_test import ADMIN_KEY, wait_until

ACCEPT_S = 180  # within which somebody accepts a message, whatever happens to the cluster
ANSWER_S = 240  # … and every answer is finished, once all is whole again
SILENCE_S = 20  # after which a reader connects anew, as a page does whose heartbeats stay away
PER_SECOND_MAX = 1000  # events that all readers take together: they are Python


class HoppingReader(threading.Thread):
    """Follows a session as EventSource does, at one node, or now and then at another although nothing broke."""

    def __init__(self, nodes, session, rng, hops):
        super().__init__(daemon=True)
        self.nodes, self.rng, self.hops = nodes, rng, hops
        self.node = nodes[0]
        self.kept = Reader(session, f"reader of {session[-6:]} {'hopping' if hops else 'at ' + self.node.name}")
        self.session, self.last_id, self.connections = session, None, 0
        self.seen_at = collections.deque(maxlen=4_000)  # (when, epoch, message) of deltas
        self.stopping = False
        self.start()

    def run(self):
        while not self.stopping:
            try:
                self.follow()
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.05)

    def follow(self):
        if self.hops:
            self.node = self.rng.choice(self.nodes)
        until = time.monotonic() + self.rng.uniform(1, 6) if self.hops else float("inf")
        connection = self.node.connect(timeout=SILENCE_S)
        try:
            headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
            if self.last_id:
                headers["Last-Event-ID"] = self.last_id
            connection.request("GET", f"/v1/session/{self.session}/events?after=start", headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                self.kept.refused[answer.status] += 1
                time.sleep(0.2)
                return
            self.connections += 1
            rest = b""
            while not self.stopping and time.monotonic() < until:
                piece = answer.read1(1 << 16)
                if not piece:
                    return
                *blocks, rest = (rest + piece).split(b"\n\n")
                for block in blocks:
                    self.take(block.decode())
        finally:
            connection.close()

    def take(self, block):
        frame = dict(line.partition(": ")[::2] for line in block.split("\n"))
        if frame.get("event") == "stream.reset":
            self.kept.reset(frame.get("id"), self.node.name)
            self.last_id = frame.get("id")
            return
        if "id" not in frame:
            return
        self.last_id = frame["id"]
        if "data" in frame:
            event = json.loads(frame["data"])
            self.kept.track.add(event)
            if frame.get("event") == "llm.delta":
                self.seen_at.append((time.monotonic(), split_id(frame["id"])[0], event["payload"]["message_id"]))

    def stop(self):
        self.stopping = True


class Speaker(threading.Thread):
    """Says one thing after another in a session, each with a key until it is accepted, by whichever node answers."""

    def __init__(self, cluster, number, rng, end, turn):
        super().__init__(daemon=True)
        self.cluster, self.number, self.rng, self.end, self.turn = cluster, number, rng, end, turn
        self.session, self.said, self.failed = None, [], None
        self.answers, self.longest = collections.Counter(), 0.0

    def run(self):
        try:
            while not self.end.is_set() or not self.said:
                text, words, pause_s = self.turn(self.number, len(self.said), self.rng)
                self.say(text, words)
                self.end.wait(pause_s)
        except Exception as why:
            self.failed = why

    def say(self, text, words):
        one = Said(self.number, text, words=words, session=self.session)
        key = f"{self.number}-{len(self.said)}-{self.rng.getrandbits(64)}"
        self.said.append(one)
        began = time.monotonic()
        while True:
            node = self.rng.choice(self.cluster.nodes)
            body = {"message": text, **({"session_id": self.session} if self.session else {})}
            try:
                status, headers, answer = node.request("POST", "/v1/session/message", body, {"Idempotency-Key": key})
            except OSError as why:
                status, headers, answer = 0, {}, str(why)
            code = json.loads(answer).get("code", "") if status >= 400 else ""
            self.answers[f"{status} {code}".strip()] += 1
            if status == 202:
                answer = json.loads(answer)
                one.outcome, one.session, one.message_id = "accepted", answer["session_id"], answer["message_id"]
                self.session = one.session
                self.longest = max(self.longest, time.monotonic() - began)
                return
            if status not in (0, 429, 503):
                raise AssertionError(f"{node.name}: {status} {answer[:300]}")
            if status == 503 and "Retry-After" not in headers:
                raise AssertionError(f"{node.name}: 503 without Retry-After: {answer[:300]}")
            if time.monotonic() > began + ACCEPT_S:
                raise AssertionError(f"nobody accepted a message for {ACCEPT_S} s: {dict(self.answers)}")
            time.sleep(0.05)


def long_answers(words, delay_ms):
    """Turns of so many words; the next is said now before, now behind the end of the one before."""
    def turn(speaker, number, rng):
        text = f"[[rehearsal delay_ms={delay_ms} words={words}]] turn {number} of speaker {speaker}"
        return text, words, words * delay_ms / 1000 * rng.uniform(0.6, 1.3)
    return turn


class Load:
    """`sessions` speakers, and of each session a reader at every node and one that hops. A context; `judge` ends it."""

    def __init__(self, cluster, rng, sessions, turn=None, readers=True):
        self.cluster, self.end = cluster, threading.Event()
        # Readers take what they can; the rest is how fast answers come.
        self.delay_ms = max(20, sessions * (len(cluster.nodes) + 1) * 1000 // PER_SECOND_MAX)
        self.turn = turn or long_answers(max(20, 6000 // self.delay_ms), self.delay_ms)
        self.speakers = [Speaker(cluster, i, random.Random(rng.random()), self.end, self.turn) for i in range(sessions)]
        self.readers, self.rng, self.with_readers = [], rng, readers

    def start(self):
        for speaker in self.speakers:
            speaker.start()
        wait_until(lambda: all(s.session or s.failed for s in self.speakers), 90, "the first messages")
        self.raise_failed()
        for speaker in self.speakers if self.with_readers else ():
            for node in [*self.cluster.nodes, None]:
                self.readers.append(HoppingReader([node] if node else self.cluster.nodes, speaker.session,
                                                  random.Random(self.rng.random()), node is None))
        return self

    def raise_failed(self):
        for speaker in self.speakers:
            if speaker.failed:
                raise speaker.failed

    def accepted(self):
        return sum(one.outcome == "accepted" for s in self.speakers for one in list(s.said))

    def wait_for_more(self, how_many=None, seconds=60):
        """Until so many more messages were accepted: the cluster works."""
        goal = self.accepted() + (how_many or len(self.speakers))

        def reached():
            self.raise_failed()
            return self.accepted() >= goal
        wait_until(reached, seconds, "messages to be accepted")

    def waits_after(self, moment, readers):
        """Milliseconds from then to each reader's next delta of a later owner, in the message of which it had one just
        before. What the owner before had written may come a little after it is gone, and is no sign of the next."""
        found = []
        for reader in readers:
            seen = list(reader.seen_at)
            before = [one for one in seen if moment - 1 < one[0] <= moment]
            if before:
                _, epoch, message = before[-1]
                found += [(t - moment) * 1000 for t, e, m in seen if t > moment and e > epoch and m == message][:1]
        return found

    def stop(self):
        self.end.set()
        for reader in self.readers:
            reader.stop()

    def judge(self, tables=True, rows=True, ran=()):
        """Speaks no more, waits for the answers and for readers, and fails with what the checker finds. All nodes have
        to be up: the log of every session is read from each. With `rows` they are ended, and their stores compared."""
        self.end.set()
        for speaker in self.speakers:
            speaker.join(ACCEPT_S + 30)
        self.raise_failed()
        said = [one for speaker in self.speakers for one in speaker.said]
        first = self.cluster.nodes[0]
        for speaker in self.speakers:
            wait_for_answers(first, speaker.session, [one.message_id for one in speaker.said])
        sessions = [speaker.session for speaker in self.speakers]
        logs = {first.name: {session: read_log(first, session) for session in sessions}}
        lengths = {session: len(log) for session, log in logs[first.name].items()}
        for node in self.cluster.nodes[1:]:
            logs[node.name] = {session: log_of_length(node, session, lengths[session]) for session in sessions}
        for reader in self.readers:
            deadline = time.monotonic() + 60
            while len(reader.kept.track) < lengths[reader.session] and time.monotonic() < deadline:
                time.sleep(0.05)
            reader.stop()
        tables = tables_of(self.cluster) if tables else {first.name: {"sessions": {}}}
        # A message that made its session may have made two: every other session is looked at, too.
        others = {session: read_log(first, session) for session in tables[first.name]["sessions"] if session not in sessions}
        found = check(said, logs, [reader.kept for reader in self.readers], tables, ran() if callable(ran) else ran)
        found += check_elsewhere(said, others)
        answers = sum((speaker.answers for speaker in self.speakers), collections.Counter())
        if rows:
            time.sleep(2)  # nodes tidy up behind the last message
            found += check_tables(self.cluster.stored_rows())
        print(f"  {self.accepted()} messages accepted, the longest after {max(s.longest for s in self.speakers):.1f} s; "
              f"{sum(lengths.values())} events; {len(self.readers)} readers, "
              f"{sum(r.connections for r in self.readers)} connections; answers {dict(answers)}", flush=True)
        assert_none(found)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def pages(node, session, after="start"):
    while after:
        page = node.json("GET", f"/v1/sessions/{session}/events?limit=500&after={after}", expect=200)
        yield from page["events"]
        after = page["next_cursor"]


def read_log(node, session):
    return Log(f"{node.name} of {session[-6:]}", pages(node, session))


def log_of_length(node, session, length, seconds=30):
    """What the node has of the session, once it has so much, or at last."""
    deadline = time.monotonic() + seconds
    while True:
        log = read_log(node, session)
        if len(log) >= length or time.monotonic() > deadline:
            return log
        time.sleep(0.2)


def wait_for_answers(node, session, messages):
    wanted, seen, last = set(messages), set(), "start"

    def there():
        nonlocal last
        try:
            for event in pages(node, session, last):
                last = event["meta"]["event_id"]
                if event["type"] == "message.assistant" and event["payload"]["final"]:
                    seen.add(event["payload"]["turn_id"])
        except (OSError, AssertionError) as why:
            if "404" in str(why):
                raise
            time.sleep(0.2)
        time.sleep(0.05)
        return wanted <= seen
    try:
        wait_until(there, ANSWER_S, "answers")
    except AssertionError:
        raise AssertionError(f"{len(wanted - seen)} of {len(wanted)} messages of {session} have no final answer after "
                             f"{ANSWER_S} s, as {node.name} says: {sorted(wanted - seen)[:5]}") from None


# ---- what nodes keep beside events ----

LISTS = {"sessions": ("/v1/sessions?limit=100", "sessions", "session_id"),
         "memories": ("/v1/memories?limit=100", "memories", "memory_id"),
         "keys": ("/v1/keys", "keys", "key_id"),
         "profiles": ("/v1/model-profiles", "profiles", "name")}


def rows_of(node, path, member, key):
    found, cursor = {}, None
    while True:
        page = node.json("GET", path + (f"{'&' if '?' in path else '?'}cursor={cursor}" if cursor else ""), expect=200)
        rows = page if isinstance(page, list) else page[member]
        for row in rows:
            found[row[key]] = json.dumps(row, sort_keys=True)
        cursor = None if isinstance(page, list) else page.get("next_cursor")
        if not cursor:
            return found


def tables_of(cluster, seconds=20):
    """node → table → rows, as nodes tell; waits until they are the same, for so long at most."""
    deadline = time.monotonic() + seconds
    while True:
        tables = {node.name: {name: rows_of(node, *how) for name, how in LISTS.items()} for node in cluster.alive()}
        first, *others = tables.values()
        if all(one == first for one in others) or time.monotonic() > deadline:
            return tables
        time.sleep(0.5)
