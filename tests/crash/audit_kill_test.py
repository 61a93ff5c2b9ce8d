"""kill -9 while records are written: the chain is right after every start, each request that was
answered has its one record, and none of those that were not has two. Of a call of a model or a tool
that was under way there is a record, and of who may do what it is on the disk before the answer."""

import collections
import json
import os
import random
import sys
import threading
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from audit_records import audit_records, audit_text, flat, soma_audit
from node_under_test import Node, Rehearsal, run_tests, wait_until

KILLS = int(os.environ.get("SOMA_KILLS", "12"))
SEED = int(os.environ.get("SOMA_SEED", random.randrange(1 << 30)))
WRITERS = 4


class Writer(threading.Thread):
    """Makes sessions until it is told to stop; keeps what was asked for and what was answered."""

    def __init__(self, node, rng):
        super().__init__(daemon=True)
        self.node, self.rng = node, rng
        self.asked, self.answered, self.stopping = set(), set(), False
        self.start()

    def run(self):
        while not self.stopping:
            request_id = uuid.UUID(int=self.rng.getrandbits(128)).hex
            self.asked.add(request_id)
            try:
                if self.node.request("POST", "/v1/sessions", {},
                                     {"X-Request-ID": request_id})[0] == 201:
                    self.answered.add(request_id)
            except OSError:
                threading.Event().wait(0.01)


def killed_while_writing():
    print(f"seed {SEED}, {KILLS} kills", flush=True)
    rng = random.Random(SEED)
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url, settings=["audit.segment_bytes=65536", "audit.sign_s=1"]).start()
    head = os.path.join(node.data_dir, "kept-head.json")
    try:
        writers = [Writer(node, random.Random(rng.getrandbits(64))) for _ in range(WRITERS)]
        for kill in range(KILLS):
            threading.Event().wait(rng.uniform(0.1, 1.0))
            if kill == 1:
                with open(head, "w") as file:
                    json.dump(node.json("GET", "/v1/admin/audit/head", expect=200), file)
            node.kill()
            node.start()
            status, out, err = soma_audit(node, "verify", *(["--head", head] if kill > 1 else []))
            assert status == 0, f"after kill {kill}: {out}{err}"
        for one in writers:
            one.stopping = True
        for one in writers:
            one.join(30)
        assert node.stop() == 0
        status, out, err = soma_audit(node, "verify")
        assert status == 0, out + err
        count = collections.Counter(r["request_id"] for r in audit_records(node)
                                    if r.get("operation") == "create_session")
        interrupted = sum(r.get("outcome") == "interrupted" for r in audit_records(node))
        asked = set().union(*(one.asked for one in writers))
        answered = set().union(*(one.answered for one in writers))
        print(f"{len(answered)} answered, {len(count)} recorded, {interrupted} interrupted; {out}",
              flush=True)
        assert set(count) <= asked
        assert all(n == 1 for n in count.values()), "a request has two records"
        lost = answered - set(count)
        assert not lost, f"{len(lost)} answered requests have no record"
    finally:
        if node.process.poll() is None:
            node.kill()
        rehearsal.stop()


def interrupted_calls():
    """a model call and a tool call that a kill ends: each has a record that says it was begun, and by whom"""
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url, resume="restart")
    user_key = node.new_key("--role", "user", "--user", "ann")
    node.start()
    try:
        def asked_by_ann(path, body):
            status, headers, text = node.request("POST", path, body, key=user_key)
            assert status == 202, (status, text)
            return json.loads(text), headers["X-Request-ID"]
        said, of_message = asked_by_ann("/v1/session/message", {
            "message": "[[rehearsal words=2000 delay_ms=20]]"})
        session = said["session_id"]
        wait_until(lambda: any(e["type"] == "llm.delta" for e in node.events(session)),
                   what="the model to speak")
        other = json.loads(node.request("POST", "/v1/sessions", {}, key=user_key)[2])["session_id"]
        called, of_call = asked_by_ann("/v1/tool/request", {
            "session_id": other, "tool_id": "code_execute",
            "inputs": {"language": "bash", "code": "echo here; sleep 600"}})
        wait_until(lambda: any(e["type"] in ("tool.progress", "tool.result")
                               for e in node.events(other)), what="the tool to run")
        runs = not any(e["type"] == "tool.result" for e in node.events(other))
        node.kill()
        node.start()
        status, out, err = soma_audit(node, "verify")
        assert status == 0, out + err
        there = audit_records(node)

        def of(what, request_id):
            return [r for r in there if r["what"] == what and r.get("request_id") == request_id
                    and r.get("outcome") == "interrupted"]
        [model] = of("llm.invoke", of_message)
        assert model["session_id"] == session and model["user_id"] == "ann", model
        assert model["base_url"] == rehearsal.base_url and model["profile"], model
        assert model["when"] <= model["at"] and "usage" not in model, model
        if not runs:
            print("  no sandbox here: the tool's call was not seen under way", flush=True)
            return
        [tool] = of("tool.execute", of_call)
        assert (tool["resource"], tool["session_id"]) == ("code_execute", other), tool
        assert (tool["user_id"], tool["role"], tool["door"]) == ("ann", "user", "session"), tool
        assert tool["key_id"] and tool["tool_call_id"] == called["tool_call_id"], tool
    finally:
        if node.process.poll() is None:
            node.kill()
        rehearsal.stop()


def recorded_before_the_answer():
    """keys, users, credentials, settings: with the answer their record is in the chain, and a head behind it"""
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url, settings=["audit.sign_s=3600"],
                env={"GATEWAY_ENC_KEY": "11" * 32})
    node.new_key("--role", "user", "--user", "bob")
    node.start()
    try:
        made = node.json("POST", "/v1/keys", {"name": "ci", "role": "user"}, expect=201)
        changes = [
            ("create_key", "POST", "/v1/keys", {"name": "another", "role": "user"}, 201),
            ("delete_key", "DELETE", f"/v1/keys/{made['key_id']}", None, 204),
            ("update_user", "PATCH", "/v1/users/bob", {"disabled": True}, 200),
            ("put_credential", "PUT", "/v1/llm/credentials/openai", {"secret": "planted"}, 200),
            ("delete_credential", "DELETE", "/v1/llm/credentials/openai", None, 204),
            ("update_settings", "PUT", "/v1/settings", {"llm": {"model": "another"}}, 200)]
        for operation, method, path, body, wanted in changes:
            request_id = uuid.uuid4().hex
            status, _, text = node.request(method, path, body, {"X-Request-ID": request_id})
            assert status == wanted, (operation, status, text)
            # As it stands in the file now: nothing is waited for.
            there = [flat(json.loads(line)) for line in audit_text(node).splitlines()]
            [at] = [i for i, r in enumerate(there) if r.get("request_id") == request_id]
            assert (there[at]["operation"], there[at]["outcome"]) == (operation, "done"), there[at]
            assert there[-1]["what"] == "audit.head" and there[-1]["seq"] >= there[at]["seq"], there[-1]
            node.kill()
            status, out, err = soma_audit(node, "verify", "--closed")
            assert status == 0, out + err
            node.start()
            again = [r for r in audit_records(node) if r.get("request_id") == request_id]
            assert len(again) == 1, again
        # Others do not wait for it.
        node.json("POST", "/v1/sessions", {}, expect=201)
        assert audit_records(node)[-1]["what"] == "conversation.send"
    finally:
        if node.process.poll() is None:
            node.kill()
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(run_tests([killed_while_writing, interrupted_calls, recorded_before_the_answer]))
