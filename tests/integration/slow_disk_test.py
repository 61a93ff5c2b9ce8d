"""A disk that stands still: nobody notices but who must know that something is durable. The disk is
held by a library that is loaded into the server (tests/support/held_disk.c); nothing is timed: what
is asked while it is held has to be answered before it is let go."""

import hashlib
import http.client
import json
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from forms import FORM, call, form, upload
from held_disk import HeldDisk, Waiting
from node_under_test import ADMIN_KEY, Rehearsal, run_tests, wait_until
from stream_client import Stream

rehearsal = None


def quiet(node, session):
    wait_until(lambda: any(e["type"] == "message.assistant" and e["payload"]["final"]
                           for e in node.events(session)), what="the answer")


def while_the_disk_syncs():
    """while an fsync stands still, reads, streams, model calls, sign-ins and health do not notice"""
    disk = HeldDisk(rehearsal.base_url)
    node = disk.node
    session = node.say("[[rehearsal words=20]]")["session_id"]
    quiet(node, session)
    fresh = node.json("POST", "/v1/keys", {"name": "fresh", "role": "user"}, expect=201)["key"]
    attachment = upload(node, ("a.txt", b"attached", "text/plain"))[0]["attachment_id"]
    last = node.events(session)[-1]["meta"]["event_id"]
    live = Stream(node, f"/v1/session/{session}/events?after={last}")
    assert live.status == 200
    # A model's answer that is under way when the disk stops.
    call = Waiting(node, "POST", "/v1/llm/invoke", {"messages": [
        {"role": "user", "content": "[[rehearsal words=60 delay_ms=30]]"}]})

    disk.hold()
    writes = [Waiting(node, "PUT", "/v1/model-profiles/late",
                      {"model": "rehearsal", "base_url": rehearsal.base_url, "role": "extra"}),
              Waiting(node, "PUT", "/v1/llm/credentials/openai", {"secret": "sk-0123456789"}),
              Waiting(node, "PUT", "/v1/settings", {"llm": {"model": "another"}}),
              Waiting(node, "PUT", "/v1/tool-catalog/echo", {"enabled": True}),
              Waiting(node, "POST", "/v1/keys", {"name": "late", "role": "user"}),
              Waiting(node, "POST", "/v1/auth/login", {"key": fresh})]
    messages = [Waiting(node, "POST", "/v1/session/message", {"message": f"message {n}"})
                for n in range(40)]
    wait_until(lambda: disk.held() >= 1, what="an fsync that stands still")

    def answered(path, status=200, key=ADMIN_KEY):
        got, _, text = node.request("GET", path, key=key)
        assert got == status, f"{path}: {got} {text[:300]}"
        return text

    for path in ("/healthz", "/readyz", "/ui/index.html", "/v1/openapi.json"):
        answered(path, key=None)
    for path in ("/v1/health", "/metrics", "/v1/auth/whoami", "/v1/sessions", "/v1/sessions?q=none",
                 f"/v1/sessions/{session}", f"/v1/sessions/{session}/events?limit=500",
                 f"/v1/sessions/{session}/history", f"/v1/sessions/{session}/context-window",
                 "/v1/model-profiles", "/v1/llm/credentials", "/v1/settings", "/v1/runtime-config",
                 "/v1/usage", "/v1/tools", "/v1/tool-catalog", "/v1/keys", "/v1/models",
                 f"/v1/attachments/{attachment}"):
        answered(path)
    # A key that was not seen before is judged by the store, and its use is noted there.
    answered("/v1/auth/whoami", key=fresh)
    replay = Stream(node, f"/v1/session/{session}/events?after=start")
    replay.until(lambda _, data: data.get("meta", {}).get("event_id") == last)
    replay.close()
    assert call.ended(200)["content"]
    again = Waiting(node, "POST", "/v1/llm/invoke",
                    {"messages": [{"role": "user", "content": "another call"}]})
    assert again.ended(200)
    assert node.request("POST", "/v1/llm/invoke", {"messages": [
        {"role": "user", "content": "by the default profile"}]}, key=fresh)[0] == 200
    # All of that while the disk stood still: what must be durable has not been answered.
    assert os.path.exists(disk.flag)
    for one in writes + messages:
        assert one.status is None, f"{one.name} was answered before it was durable: {one.status}"

    disk.let_go()
    for one, status in zip(writes, (200, 200, 200, 200, 201, 200)):
        one.ended(status)
    for one in messages:
        one.ended(202)
    node.say("and on", session=session)
    live.until(lambda event, _: event == "message.user")
    live.close()
    disk.end()


def stopped_while_the_disk_syncs():
    """what waits for the disk when the server is told to end is durable when it has ended"""
    disk = HeldDisk(rehearsal.base_url, settings=["shutdown.grace_s=30"])
    node = disk.node
    disk.hold()
    message = Waiting(node, "POST", "/v1/session/message", {"message": "the last one"})
    wait_until(lambda: disk.held() >= 1, what="an fsync that stands still")
    node.process.terminate()
    disk.let_go()
    assert node.process.wait(60) == 0, node.log_text()[-2000:]
    session = message.ended(202)["session_id"]
    node.start()
    assert any(e["type"] == "message.user" for e in node.events(session))
    disk.end()


def killed_while_the_disk_syncs():
    """what was made under a key is there with its kept answer or not at all, wherever kill -9 comes"""
    # No other write may stand still before the one that is looked for.
    disk = HeldDisk(rehearsal.base_url, settings=["memory.write=false"])
    node = disk.node

    def named(path, member, name):
        return [one for one in node.json("GET", path, expect=200)[member] if one["name"] == name]

    for path, member, body in (
            ("/v1/keys", "keys", {"name": "made-once", "role": "user"}),
            ("/v1/model-profiles", "profiles",
             {"name": "made-once", "model": "rehearsal", "base_url": rehearsal.base_url,
              "role": "extra", "parameters": {"temperature": 0.1}})):
        headers = {"Idempotency-Key": "made-once"}
        disk.hold()
        made = Waiting(node, "POST", path, body, headers=headers)
        wait_until(lambda: disk.written(b"made-once"), what="the write that is not synced")
        node.kill()
        made.join(60)
        assert made.status == 0, f"{path} was answered before it was durable: {made.status}"
        disk.let_go()
        node.start()
        there = len(named(path, member, "made-once"))
        status, fields, text = node.request("POST", path, body, headers)
        assert status == 201, f"{path}: {status} {text[:400]}"
        assert (fields.get("Idempotency-Replayed") == "true") == (there == 1), path
        (one,) = named(path, member, "made-once")
        answer = json.loads(text)
        assert {k: v for k, v in answer.items() if k != "key"} == one, (answer, one)
        again = node.request("POST", path, body, headers)
        assert again[0] == 201 and json.loads(again[2]) == one, again
        # What the disk has no room for leaves neither it nor an answer.
        body, headers = {**body, "name": "made-later"}, {"Idempotency-Key": "made-later"}
        disk.fill()
        status, _, text = node.request("POST", path, body, headers)
        assert status in (500, 503, 507), f"{path}: {status} {text[:400]}"
        disk.let_go()
        wait_until(lambda: node.request("POST", "/v1/session/message", {"message": "x"})[0] == 202,
                   what="a store that writes again")
        assert not named(path, member, "made-later")
        status, fields, text = node.request("POST", path, body, headers)
        assert status == 201 and "Idempotency-Replayed" not in fields, (path, status, text[:400])
        assert len(named(path, member, "made-later")) == 1
    disk.end()


def while_searches_read():
    """while long reads stand still on every thread they have, a sign-in and single rows go through"""
    disk = HeldDisk(rehearsal.base_url)
    node = disk.node
    session = node.say("a session")["session_id"]
    quiet(node, session)
    fresh = node.json("POST", "/v1/keys", {"name": "fresh", "role": "user"}, expect=201)["key"]
    assert node.stop() == 0
    node.start()  # what was written lies in tables now, and none of it in memory
    disk.hold_reads()
    searches = [Waiting(node, "GET", f"/v1/sessions?q=none{n}") for n in range(6)]
    wait_until(lambda: disk.reads_held() == 2, what="two reads that stand still")
    assert node.request("GET", "/v1/auth/whoami", key=fresh)[0] == 200
    status, headers, _ = node.request("POST", "/v1/auth/login", {"key": fresh}, key=None)
    assert status == 200, status
    assert node.request("GET", f"/v1/sessions/{session}")[0] == 200
    assert node.request("GET", "/v1/sessions")[0] == 200
    assert node.events(session)
    assert node.say("a message")["session_id"]
    assert os.path.exists(disk.flag + ".reads")
    disk.let_go()
    for one in searches:
        one.ended(200)
    disk.end()


def killed_while_uploads_are_kept():
    """an upload that is killed between its rows and its answer, and sent again, leaves one attachment"""
    disk = HeldDisk(rehearsal.base_url)
    node = disk.node
    files = (("a.txt", b"the one file"), ("b.txt", b"the other"))

    def send(key):
        status, _, text = call(node, "POST", "/v1/uploads", form(*files), {
            **FORM, "Idempotency-Key": key})
        assert status == 201, text
        return json.loads(text)

    def know(key):
        return node.json("POST", "/v1/uploads/known", {"files": [
            {"sha256": hashlib.sha256(content).hexdigest()} for _, content in files]},
            {"Idempotency-Key": key}, expect=200)["files"]

    def killed_within(what):
        before, answers = disk.held(), []

        def ask():
            try:
                answers.append(what())
            except (OSError, http.client.HTTPException):
                pass
        disk.hold_store()
        asked = threading.Thread(target=ask)
        asked.start()
        wait_until(lambda: disk.held() > before, what="the store's sync")
        node.kill()
        asked.join()
        assert not answers, f"answered before it was durable: {answers}"
        disk.let_go()
        node.start()

    def nothing_stays_but(made):
        for one in made:
            assert call(node, "DELETE", one["url"])[0] == 204
        folder = os.path.join(node.data_dir, "attachments")
        wait_until(lambda: not any(names for _, _, names in os.walk(folder)), what="no bytes")

    killed_within(lambda: send("k"))
    first = send("k")
    assert len(first) == 2 and send("k") == first
    nothing_stays_but(first)
    sent = send("l")
    killed_within(lambda: know("m"))
    known = know("m")
    assert len(known) == 2 and know("m") == known
    nothing_stays_but(sent + known)
    disk.end()


if __name__ == "__main__":
    rehearsal = Rehearsal()
    try:
        status = run_tests([while_the_disk_syncs, stopped_while_the_disk_syncs,
                            killed_while_the_disk_syncs, while_searches_read,
                            killed_while_uploads_are_kept])
    finally:
        rehearsal.stop()
    sys.exit(status)
