"""Judges what all clients of a cluster saw, and what its nodes keep at the end. Pure: histories in, findings out, a line
each; none is a pass. tests/integration/cluster_checker_test.py plants histories that it has to find fault with.

- Every accepted message is in the log once, a speaker's in the order in which they were accepted; one that was refused or of
  which nobody knows is there once at most; none is there that nobody said.
- No message is in a session that its speaker was not told of.
- A log's ids are dense from 1, its epochs do not go back, and it is the same at every node.
- Every reader saw every event once, in order, with the words that the log has, to the log's end, and was never reset
  or told that the session is not there.
- Every accepted message has one final answer, its deltas add up to it, and it is whole.
- What ran, and may not run twice, ran once at most; each call has one result.
- Tables are the same at all nodes.
"""

import collections
import json
from array import array

SHOWN_MAX = 20  # findings that are told


class Said:
    """One message of a speaker. `outcome` is accepted, refused (it was told that nothing was written) or unknown."""

    def __init__(self, speaker, text, outcome="unknown", session=None, message_id=None, words=None):
        self.speaker, self.text, self.outcome = speaker, text, outcome
        self.session, self.message_id, self.words = session, message_id, words


def split_id(event_id):
    epoch, _, seq = event_id.partition(".")
    return int(epoch), int(seq)


def mark_of(event):
    """An event's words as a number: the same for the same event, in this process."""
    return hash(json.dumps(event, sort_keys=True))


class Track:
    """A sequence of events, 24 bytes each: what a reader saw, or what a node keeps."""

    def __init__(self, name, events=()):
        self.name = name
        self.epochs, self.seqs, self.marks = array("q"), array("q"), array("q")
        for event in events:
            self.add(event)

    def add(self, event):
        epoch, seq = split_id(event["meta"]["event_id"])
        self.epochs.append(epoch)
        self.seqs.append(seq)
        self.marks.append(mark_of(event))

    def last(self):
        return self.epochs[-1], self.seqs[-1]

    def drop_last(self):
        for one in (self.epochs, self.seqs, self.marks):
            one.pop()

    def __len__(self):
        return len(self.seqs)

    def id(self, i):
        return f"{self.epochs[i]}.{self.seqs[i]}" if i < len(self) else "nothing"


class Log(Track):
    """A session at a node, and what of it has to be known to judge it."""

    def __init__(self, name, events=()):
        self.users, self.answers, self.texts = [], collections.defaultdict(list), {}
        self.calls, self.results, self.holes = [], [], []
        super().__init__(name, events)

    def add(self, event):
        super().add(event)
        p, kind = event["payload"], event["type"]
        if kind == "message.user":
            self.users.append((p["message_id"], p.get("text", p.get("message", ""))))
        elif kind == "llm.delta" and "text" in p:
            text = self.texts.get(p["message_id"], b"")
            if p["offset"] > len(text):
                self.holes.append(f"{self.name}: a hole before byte {p['offset']} of {p['message_id']}")
            self.texts[p["message_id"]] = text[:p["offset"]] + p["text"].encode()
        elif kind == "message.assistant":
            self.answers[p["turn_id"]].append((p["message_id"], p["text"], p["final"]))
        elif kind == "tool.call":
            self.calls.append(p["tool_call_id"])
        elif kind == "tool.result":
            self.results.append((p["tool_call_id"], p["status"]))


class Reader:
    """What one reader of a session saw, over all its connections."""

    def __init__(self, session, name="a reader"):
        self.session, self.track = session, Track(name)
        self.resets, self.refused = [], collections.Counter()  # HTTP status that is no 200

    def reset(self, event_id, node):
        """It was told to drop what comes behind this event, or all, and did."""
        last = self.track.id(len(self.track) - 1) if len(self.track) else "nothing"
        self.resets.append(f"by {node} from {last} to {event_id}")
        while len(self.track) and (not event_id or self.track.last() > split_id(event_id)):
            self.track.drop_last()


def twice(values):
    return [value for value, n in collections.Counter(values).items() if n > 1]


def check_log(log):
    found = list(log.holes)
    if log.seqs != array("q", range(1, len(log) + 1)):
        i = next(i for i, seq in enumerate(log.seqs) if seq != i + 1)
        found.append(f"{log.name}: event {log.id(i)} where number {i + 1} should be")
    if any(b < a for a, b in zip(log.epochs, log.epochs[1:])):
        found.append(f"{log.name}: an event of an older claim behind one of a newer")
    return found


def check_same(track, truth, whole=True):
    """Where one sequence is not the other, by what is wrong."""
    for i in range(min(len(track), len(truth))):
        if track.seqs[i] == truth.seqs[i] and track.epochs[i] == truth.epochs[i]:
            if track.marks[i] != truth.marks[i]:
                return [f"{track.name}: event {track.id(i)} has other words than at {truth.name}"]
            continue
        if i and track.seqs[i] <= max(track.seqs[:i]):
            return [f"{track.name}: {track.id(i)} again, or out of order, behind {track.id(i - 1)}"]
        if track.seqs[i] > truth.seqs[i]:
            return [f"{track.name}: {truth.id(i)} is missing before {track.id(i)}"]
        return [f"{track.name}: {track.id(i)} where {truth.name} has {truth.id(i)}"]
    if len(track) > len(truth):
        return [f"{track.name}: {track.id(len(truth))} is not at {truth.name}"]
    if whole and len(track) < len(truth):
        return [f"{track.name}: ends before {truth.id(len(track))}, {len(truth) - len(track)} events short"]
    return []


def check_messages(said, logs):
    """said: in the order of each speaker. logs: session → Log of one node."""
    found = []
    there = {session: [m for m, _ in log.users] for session, log in logs.items()}
    texts = collections.Counter(text for log in logs.values() for _, text in log.users)
    known = {one.text for one in said}
    found += [f"a message twice in {session}: {m}" for session, ids in there.items() for m in twice(ids)]
    for text, n in texts.items():
        if n > 1:
            found.append(f"said once and there {n} times: {text[-80:]}")
        if text not in known:
            found.append(f"a message that nobody said: {text[:80]}")
    order = collections.defaultdict(list)
    for one in said:
        if one.outcome != "accepted":
            continue
        if one.message_id not in there.get(one.session, ()):
            found.append(f"lost: {one.message_id} of {one.session}, which was accepted")
        order[one.speaker, one.session].append(one.message_id)
    for (speaker, session), ids in order.items():
        place = {m: i for i, m in enumerate(there.get(session, ()))}
        places = [place[m] for m in ids if m in place]
        if places != sorted(places):
            found.append(f"{session}: the messages of speaker {speaker} are in another order than he was answered")
    return found


def check_elsewhere(said, others):
    """others: session → Log of sessions that no speaker was told of."""
    known = {one.text for one in said}
    return [f"said in one session and there in {session}, too: {text[-80:]}" for session, log in others.items()
            for _, text in log.users if text in known]


def check_answers(said, logs):
    found = []
    for one in said:
        log = logs.get(one.session)
        if one.outcome != "accepted" or log is None:
            continue
        answers = log.answers.get(one.message_id, [])
        finals = [(m, text) for m, text, final in answers if final]
        if len(finals) != 1:
            found.append(f"{one.session}: message {one.message_id} has {len(finals)} final answers")
        for message, text in finals:
            folded = log.texts.get(message, b"").decode("utf-8", "replace")
            if folded != text:
                found.append(f"{one.session}: the deltas of {message} are {len(folded)} characters, its text {len(text)}")
            if one.words and len(text.split()) != one.words:
                found.append(f"{one.session}: the answer to {one.message_id} has {len(text.split())} words of {one.words}")
    return found


def check_readers(readers, logs):
    found = []
    for reader in readers:
        if reader.session not in logs:
            found.append(f"{reader.track.name}: reads {reader.session}, of which nothing is kept")
            continue
        found += check_same(reader.track, logs[reader.session])
        found += [f"{reader.track.name}: was reset {how}, though nothing was lost" for how in reader.resets]
        found += [f"{reader.track.name}: was refused with {status} {n} times"
                  for status, n in reader.refused.items() if status not in (503, 429)]
    return found


def check_tools(ran, logs):
    """ran: an id for each time that something ran which may run once."""
    found = [f"ran {n} times: {one}" for one, n in collections.Counter(ran).items() if n > 1]
    for session, log in logs.items():
        ended = [call for call, _ in log.results]
        found += [f"{session}: two results of {call}" for call in twice(ended)]
        found += [f"{session}: no result of {call}" for call in set(log.calls) - set(ended)]
        found += [f"{session}: a result of {call}, which was not called" for call in set(ended) - set(log.calls)]
    return found


def check_tables(tables):
    """tables: node → table → {key: value}; every table that the first has is the same at all."""
    found = []
    if not tables:
        return found
    (first, truth), *others = tables.items()
    for node, mine in others:
        for table in sorted(truth.keys() | mine.keys()):
            a, b = truth.get(table, {}), mine.get(table, {})
            for key in sorted(a.keys() | b.keys(), key=str):
                if a.get(key) != b.get(key):
                    how = f"only at {first}" if key not in b else f"only at {node}" if key not in a else "differs"
                    found.append(f"{table}: {key} {how} ({first} and {node})")
    return found


def check(said, logs, readers=(), tables=None, ran=()):
    """All findings. logs: node → session → Log."""
    found = []
    (first, truth), *others = logs.items()
    for log in truth.values():
        found += check_log(log)
    for node, mine in others:
        found += [f"session {session} is only at {first if session in truth else node}"
                  for session in truth.keys() ^ mine.keys()]
        for session in truth.keys() & mine.keys():
            found += check_same(mine[session], truth[session])
    found += check_messages(said, truth) + check_answers(said, truth)
    found += check_readers(readers, truth) + check_tools(ran, truth)
    if tables:
        found += check_tables(tables)
    return found


def assert_none(found):
    if found:
        more = f"\n  … and {len(found) - SHOWN_MAX} more" if len(found) > SHOWN_MAX else ""
        raise AssertionError(f"{len(found)} findings:\n  " + "\n  ".join(found[:SHOWN_MAX]) + more)
