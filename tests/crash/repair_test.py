"""soma repair and soma backup, as an operator meets them: a server that does not start over a damaged
log, is mended, and goes on; a copy that is started in place of the first."""

import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import BIN, Node, Rehearsal, assert_exactly_once, run_tests, wait_until


def soma(*arguments, expect=0):
    """The output of a subcommand; its errors where it is expected to fail."""
    done = subprocess.run([os.path.join(BIN, "soma"), *arguments], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == expect, f"soma {arguments}: {done.returncode} {done.stdout}{done.stderr}"
    return done.stdout if expect == 0 else done.stderr


def answered(node, session, turns):
    return sum(1 for e in node.events(session) if e["type"] == "message.assistant"
               and e["payload"]["final"]) >= turns


def newest_log(node):
    store = os.path.join(node.data_dir, "store")
    logs = sorted(name for name in os.listdir(store) if name.endswith(".log"))
    return os.path.join(store, logs[-1])


def flip_a_bit(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 4]))


def mended():
    """repair: a server that refuses a damaged log starts again with all that came before the damage"""
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url).start()
    try:
        session = node.say("What is 17 times 23?")["session_id"]
        wait_until(lambda: answered(node, session, 1), what="the first answer")
        before = node.events(session)
        log = newest_log(node)
        kept = os.path.getsize(log)
        node.say("And 5 times 5?", session)
        wait_until(lambda: answered(node, session, 2), what="the second answer")
        node.kill()
        flip_a_bit(log, (kept + os.path.getsize(log)) // 2)
        with open(log, "rb") as file:
            damaged = file.read()

        try:
            node.start()
            raise SystemError("it started over a damaged log")
        except AssertionError as refused:
            assert "ended with 1" in str(refused), refused
            assert os.path.basename(log) in str(refused), "the damaged file is not named"
            assert "soma repair" in str(refused), "nothing says what to do"

        said = soma("repair", "--data-dir", node.data_dir)
        assert os.path.basename(log) in said and "opens again" in said, said
        folder = next(os.path.join(node.data_dir, name) for name in os.listdir(node.data_dir)
                      if name.startswith("repair-"))
        assert folder in said, said
        with open(os.path.join(folder, os.path.basename(log)), "rb") as file:
            assert file.read() == damaged, "not every byte was kept"

        node.start()
        after = node.events(session)
        assert_exactly_once(after)
        assert after[:len(before)] == before, "something before the damage was lost"
        turn = node.say("And 6 times 6?", session)["message_id"]
        wait_until(lambda: any(e["type"] == "message.assistant" and e["payload"]["final"] and
                               e["payload"]["turn_id"] == turn for e in node.events(session)),
                   what="an answer after the repair")
        assert_exactly_once(node.events(session))
    finally:
        node.stop()
        rehearsal.stop()


def damaged_table():
    """repair: a table of one session that is damaged stops that session alone, until it is mended"""
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url).start()
    try:
        large, other = (node.say("Hello")["session_id"] for _ in range(2))
        for session in (large, other):
            wait_until(lambda: answered(node, session, 1), what="an answer")
        for _ in range(20):
            node.json("POST", f"/v1/sessions/{large}/events",
                      {"name": "a.b", "data": os.urandom(100_000).hex()}, expect=202)
        node.kill()
        node.start()  # which moves what is in the log to tables
        node.stop()
        store = os.path.join(node.data_dir, "store")
        tables = [os.path.join(store, name) for name in os.listdir(store) if name.endswith(".sst")]
        table = max(tables, key=os.path.getsize)
        flip_a_bit(table, os.path.getsize(table) // 2)
        for _ in range(3):
            node.start()

            def refused():
                status, _, text = node.request("POST", "/v1/session/message",
                                               {"message": "Hello?", "session_id": large})
                return status == 500 and "storage.corrupt" in text and large in text

            wait_until(refused, what="the damage to be told")
            status, _, text = node.request("GET", f"/v1/sessions/{large}/events?limit=500&after=start")
            assert status == 500 and "storage.corrupt" in text, (status, text[:300])
            wait_until(lambda: large in node.log_text() and "storage.damaged" in node.log_text(),
                       what="a line that names the session")
            node.say("And you?", other)
            assert node.stop() == 0

        said = soma("repair", "--data-dir", node.data_dir)
        assert os.path.basename(table) in said and large in said and other not in said, said
        folder = next(name for name in os.listdir(node.data_dir) if name.startswith("repair-"))
        assert os.path.exists(os.path.join(node.data_dir, folder, "store", os.path.basename(table)))
        node.start()
        kept = node.events(large)
        assert 2 < len(kept) and [e["meta"]["event_id"].split(".")[1] for e in kept] == \
            [str(n + 1) for n in range(len(kept))]
        node.say("And now?", large)
        wait_until(lambda: answered(node, large, 2), what="an answer after the repair")
        wait_until(lambda: answered(node, other, 4), what="answers of the other")
    finally:
        node.stop()
        rehearsal.stop()


def largest_table_of(node):
    store = os.path.join(node.data_dir, "store")
    tables = [os.path.join(store, name) for name in os.listdir(store) if name.endswith(".sst")]
    return max(tables, key=os.path.getsize)


def filled_node(rehearsal):
    """A stopped server with a large session, whose table is the largest, and another one."""
    node = Node(rehearsal.base_url).start()
    large, other = (node.say("Hello")["session_id"] for _ in range(2))
    for session in (large, other):
        wait_until(lambda: answered(node, session, 1), what="an answer")
    for _ in range(20):
        node.json("POST", f"/v1/sessions/{large}/events",
                  {"name": "a.b", "data": os.urandom(100_000).hex()}, expect=202)
    node.kill()
    node.start()  # which moves what is in the log to tables
    node.stop()
    return node, large, other


def damage_goes():
    """repair: damage is logged once, and health recovers when the session is deleted that has it"""
    rehearsal = Rehearsal()
    node, large, other = filled_node(rehearsal)
    try:
        table = largest_table_of(node)
        flip_a_bit(table, os.path.getsize(table) // 2)
        begin = len(node.log_text())
        node.start()
        storage = lambda: node.json("GET", "/v1/health")["components"]["storage"]["status"]
        for _ in range(4):
            assert node.request("GET", f"/v1/sessions/{large}/events?limit=500&after=start")[0] == 500
        wait_until(lambda: storage() == "degraded", what="health to be degraded")
        assert node.request("DELETE", f"/v1/sessions/{large}")[0] in (200, 202, 204)
        wait_until(lambda: storage() == "ok", what="health to recover")
        node.say("And you?", other)
        assert node.stop() == 0
        lines = node.log_text()[begin:].splitlines()
        assert not [one for one in lines if '"storage.corrupt"' in one], lines
        # What compaction says of it is another matter: that there is none any more.
        told = [one for one in lines if '"storage.damaged"' in one and '"session_id"' in one]
        assert len(told) == 1 and large in told[0], told
    finally:
        node.stop()
        rehearsal.stop()


def table_without_an_end():
    """repair: a table that cannot be opened refuses the start with what to do, which mends it"""
    rehearsal = Rehearsal()
    node, large, other = filled_node(rehearsal)
    try:
        table = largest_table_of(node)
        flip_a_bit(table, os.path.getsize(table) - 2)
        try:
            node.start()
            raise SystemError("it started over a table without an end")
        except AssertionError as refused:
            assert "ended with 1" in str(refused), refused
            assert os.path.basename(table) in str(refused) and "soma repair" in str(refused), refused
        said = soma("repair", "--data-dir", node.data_dir)
        assert os.path.basename(table) in said and "opens again" in said, said
        node.start()
        node.say("Hello again")
    finally:
        node.stop()
        rehearsal.stop()


def left_alone():
    """repair: a whole store is left alone, one in use or missing is refused"""
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url).start()
    try:
        node.say("Hello")
        said = soma("repair", "--data-dir", node.data_dir, expect=1)
        assert "another process" in said, said
        node.kill()
        assert "nothing was changed" in soma("repair", "--data-dir", node.data_dir)
        nowhere = os.path.join(node.data_dir, "nowhere")
        assert "no store" in soma("repair", "--data-dir", nowhere, expect=1)
        assert not os.path.exists(nowhere)
    finally:
        node.stop()
        rehearsal.stop()


def copied():
    """backup: what was restored starts in place of the first, with its sessions and its keys"""
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url).start()
    try:
        session = node.say("What is 17 times 23?")["session_id"]
        wait_until(lambda: answered(node, session, 1), what="the answer")
        events = node.events(session)
        target = os.path.join(tempfile.mkdtemp(prefix="soma-test-"), "copy")
        node.stop()
        key = soma("key", "new", "--name", "k", "--role", "admin", "--data-dir",
                   node.data_dir).strip()
        backups = target + "-backups"
        assert "Backed up to" in soma("backup", "--data-dir", node.data_dir, backups)
        soma("restore", backups, "--data-dir", target)
        assert "already" in soma("restore", backups, "--data-dir", target, expect=1)
        inside = os.path.join(node.data_dir, "attachments", "copy")
        link = os.path.join(os.path.dirname(target), "link")
        os.symlink(os.path.dirname(inside), link)
        for into in (inside, os.path.join(link, "copy"), os.path.join(node.data_dir, "..", ".",
                     os.path.basename(node.data_dir), "copy")):
            said = soma("backup", "--data-dir", node.data_dir, into, expect=1)
            assert "which is what is backed up" in said and not os.path.lexists(into), said

        copy = Node(rehearsal.base_url, data_dir=target).start()
        try:
            assert copy.events(session) == events
            status, _, _ = copy.request("GET", f"/v1/sessions/{session}", key=key)
            assert status == 200, "a key of the first is none of the copy"
            copy.say("Go on", session)
            wait_until(lambda: answered(copy, session, 2), what="an answer of the copy")
            epochs = [int(e["meta"]["event_id"].split(".")[0]) for e in copy.events(session)]
            assert epochs[-1] > epochs[0], "an epoch was given twice"
        finally:
            copy.stop()
    finally:
        node.stop()
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(run_tests([mended, damaged_table, damage_goes, table_without_an_end, left_alone, copied]))
