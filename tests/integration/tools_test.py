"""Tools in conversations, on the real server and the rehearsal model: what a model asks for runs,
within its limits and the rules, and its result goes back; people run tools by hand; a crash in the
middle ends as it is told to."""

import base64
import http.server
import json
import os
import subprocess
import sys
import threading
from urllib.parse import quote

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from forms import upload
from node_under_test import ADMIN_KEY, BIN, Node, Rehearsal, run_tests, wait_until

RULES = """
[[rule]]
id = "talk"
effect = "allow"
actions = ["conversation.*", "attachment.*", "workdir.*"]
[[rule]]
id = "admins"
effect = "allow"
actions = ["tool.catalog.update", "key.manage"]
roles = ["admin"]
[[rule]]
id = "no-clocks"
effect = "deny"
actions = ["tool.execute"]
resources = ["clock"]
reason = "Nobody may know the time."
[[rule]]
id = "tools"
effect = "allow"
actions = ["tool.execute"]
"""


def ask_for(*calls, text="done"):
    """A message to which the rehearsal model answers by these calls."""
    script = " ".join(f"tool{n}={name} inputs{n}={quote(json.dumps(inputs), safe='')}"
                      for n, (name, inputs) in enumerate(calls, 1))
    return f"[[rehearsal delay_ms=0 {script}]] {text}"


def of(session, kind):
    return [e["payload"] for e in node.events(session) if e["type"] == kind]


def send(text, attachments=()):
    return node.json("POST", "/v1/session/message",
                     {"message": text, "attachments": [{"id": a["id"]} for a in attachments]},
                     expect=202)


def turn(text, attachments=()):
    accepted = send(text, attachments)
    session = accepted["session_id"]
    wait_until(lambda: any(m["final"] and m["turn_id"] == accepted["message_id"]
                           for m in of(session, "message.assistant")), 60, "the turn's end")
    return session


def by_hand(session, tool_id, inputs, node=None, expect=202):
    return (node or globals()["node"]).json(
        "POST", "/v1/tool/request", {"session_id": session, "tool_id": tool_id, "inputs": inputs},
        expect=expect)


def result_of(session, tool_call_id, within=60):
    found = []

    def there():
        found[:] = [r for r in of(session, "tool.result") if r["tool_call_id"] == tool_call_id]
        return found
    wait_until(there, within, "the tool's result")
    assert len(found) == 1, found
    return found[0]


def arithmetic():
    """a sum in a message is worked out by the calculator, and the answer has it"""
    session = turn("what is 19.99 * 3 + tax of 8 %")
    [call] = of(session, "tool.call")
    assert call["tool_id"] == "calculator" and call["requested_by"] == "model", call
    [result] = of(session, "tool.result")
    assert (result["status"], result["output"]["result"]) == ("success", "64.7676"), result
    assert of(session, "message.assistant")[-1]["text"].count(str(result["output"]["result"])) == 1
    exact = by_hand(session, "calculator", {"expression": "19.99 * 3"})
    assert result_of(session, exact["tool_call_id"])["output"]["result"] == "59.97"


def document():
    """an attached document is read before the model is asked, and the model is given its text"""
    [made] = upload(node, ("fruit.md", b"# Fruit\nThe secret fruit is a quince.\n"))
    session = turn("Which fruit?", [made])
    kinds = [e["type"] for e in node.events(session)]
    assert kinds.index("tool.result") < kinds.index("llm.request"), kinds
    [call] = of(session, "tool.call")
    assert (call["tool_id"], call["requested_by"]) == ("document_ingest", "runtime"), call
    [result] = of(session, "tool.result")
    assert "quince" in result["output"]["text"], result
    said = of(session, "message.assistant")[-1]["text"]
    assert "an attached file says" in said and "secret fruit is a quince" in said, said
    shown = node.json("GET", f"/v1/sessions/{session}/context-window")
    assert "quince" in json.dumps(shown), shown
    node.json("POST", "/v1/session/action", {"session_id": session, "action": "retry"})
    wait_until(lambda: len(of(session, "llm.complete")) == 2, what="the retry")
    assert len(of(session, "tool.call")) == 1, "what was read is kept"


def program():
    """a program runs in the sandbox, streams what it says, and leaves a file in the work folder"""
    code = "print('hello from inside'); open('made.txt','w').write('by the program')"
    session = turn("hello")
    made = by_hand(session, "code_execute", {"language": "python", "code": code})
    result = result_of(session, made["tool_call_id"])
    assert result["status"] == "success", result
    assert result["output"]["stdout"] == "hello from inside\n", result
    assert [f["path"] for f in result["output"]["files"]] == ["made.txt"], result
    assert any(p["text"].startswith("hello") for p in of(session, "tool.progress"))
    read = by_hand(session, "file_read", {"path": "made.txt"})
    assert result_of(session, read["tool_call_id"])["output"]["text"] == "by the program"
    status, _, text = node.request(
        "GET", f"/v1/workdir/download?session_id={session}&path=made.txt")
    assert (status, text) == (200, "by the program"), text


class SeeingProvider:
    """An OpenAI-compatible provider that keeps what it was asked."""

    def __init__(self, refuses_pictures=False):
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                if refuses_pictures and "data:image/" in json.dumps(asked[-1]):
                    self.send_error(400)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                self.wfile.write(b'data: {"choices":[{"delta":{"content":"I see."},'
                                 b'"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def said_to_it(self):
        return [m["content"] for m in self.asked[-1]["messages"] if m["role"] == "user"][-1]


def pictures():
    """an attached picture is given to a model that takes pictures, and to no other"""
    picture = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9Q"
                               "DwADhgGAWjR9awAAAABJRU5ErkJggg==")
    provider = SeeingProvider()
    mine = Node(provider.base_url).start()
    profile = {"base_url": provider.base_url, "model": "seeing"}
    try:
        def show(images):
            mine.json("PUT", "/v1/model-profiles/default", {**profile, "images": images})
            sent = mine.json("POST", "/v1/session/message",
                             {"message": "what is it?", "attachments": [{"id": kept["id"]}]},
                             expect=202)
            wait_until(lambda: any(e["type"] == "llm.complete"
                                   for e in mine.events(sent["session_id"])), what="the answer")
            return provider.said_to_it()
        [kept] = upload(mine, ("dot.png", picture, "image/png"))
        text, image = show(True)
        assert text["text"].startswith("what is it?") and "dot.png" in text["text"], text
        url = image["image_url"]["url"]
        assert url == "data:image/png;base64," + base64.b64encode(picture).decode(), url
        assert show(False).startswith("what is it?")
    finally:
        mine.stop()
        provider.server.shutdown()


def refused_picture():
    """a picture that the model refuses ends its turn with the reason, and not those that follow"""
    provider = SeeingProvider(refuses_pictures=True)
    mine = Node(provider.base_url).start()
    try:
        mine.json("PUT", "/v1/model-profiles/default",
                  {"base_url": provider.base_url, "model": "seeing", "images": True})
        [kept] = upload(mine, ("broken.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR cut", "image/png"))
        first = mine.json("POST", "/v1/session/message",
                          {"message": "look", "attachments": [{"id": kept["id"]}]}, expect=202)

        def ends():
            return [e["payload"]["finish_reason"] for e in mine.events(first["session_id"])
                    if e["type"] == "llm.complete"]
        wait_until(lambda: len(ends()) == 1, what="the refusal")
        mine.json("POST", "/v1/session/message",
                  {"message": "never mind", "session_id": first["session_id"]}, expect=202)
        wait_until(lambda: len(ends()) == 2, what="the answer")
        assert ends() == ["error", "stop"], ends()
    finally:
        mine.stop()
        provider.server.shutdown()


def stopped_while_out():
    """a server that stops while a program is on its way out ends in order"""
    mine = Node(rehearsal.base_url).start()
    mine.json("PUT", "/v1/tool-catalog/code_execute", {"egress": ["example.org"]})
    session = mine.say("hello")["session_id"]
    code = "trap '' TERM; echo here; while true; do sleep 1; done"
    by_hand(session, "code_execute", {"language": "bash", "code": code}, node=mine)
    wait_until(lambda: any(e["type"] == "tool.progress" for e in mine.events(session)),
               what="the program")
    mine.process.terminate()
    assert mine.process.wait(60) == 0, mine.process.returncode


def way_out():
    """a program reaches the hosts that an admin named, and is told why it may not reach others"""
    code = ("import urllib.request, urllib.error\n"
            "try: urllib.request.urlopen('http://other.example.org/')\n"
            "except urllib.error.HTTPError as e: print(e.code, e.read().decode())\n"
            "except OSError as e: print('no way out')\n")

    def run():
        made = by_hand(session, "code_execute", {"language": "python", "code": code})
        return result_of(session, made["tool_call_id"])["output"]["stdout"]
    session = turn("hello")
    assert run() == "no way out\n"
    node.json("PUT", "/v1/tool-catalog/code_execute", {"egress": ["example.org"]})
    try:
        said = run()
    finally:
        node.json("PUT", "/v1/tool-catalog/code_execute", {"egress": []})
    assert said.startswith("403 ") and "other.example.org is not among those" in said, said
    assert run() == "no way out\n"


def denial():
    """a denied tool ends as denied and names the rule; a call by hand is 403"""
    mine = rules_node()
    try:
        session = mine.say(ask_for(("clock", {})))["session_id"]
        wait_until(lambda: any(e["type"] == "tool.result" for e in mine.events(session)),
                   what="the denial")
        [result] = [e["payload"] for e in mine.events(session) if e["type"] == "tool.result"]
        assert result["status"] == "denied" and result["error"]["code"] == "policy.denied", result
        assert "no-clocks" in result["error"]["detail"], result
        refused = by_hand(session, "clock", {}, node=mine, expect=403)
        assert (refused["code"], refused["rule"]) == ("policy.denied", "no-clocks"), refused
        assert refused["detail"] == "Nobody may know the time.", refused
        assert "clock" not in [t["id"] for t in mine.json("GET", "/v1/tools")["tools"]]
    finally:
        mine.stop()


def rules_node():
    made = Node(rehearsal.base_url, settings=[])
    path = os.path.join(made.data_dir, "policy.toml")
    with open(path, "w") as file:
        file.write(RULES)
    made.env["SOMA_POLICY_FILE"] = path
    return made.start()


def wrong_calls():
    """calls that do not fit are told to the model and end nothing"""
    session = turn(ask_for(("calculator", {"expression": 5}), ("nothing_like_it", {}),
                           ("echo", {"text": "fine"})))
    codes = [r.get("error", {}).get("code") for r in of(session, "tool.result")]
    assert sorted(map(str, codes)) == ["None", "tool.invalid_inputs", "tool.unknown"], codes
    assert of(session, "message.assistant")[-1]["final"]


def stopped():
    """stop ends a running program, and its processes with it"""
    session = turn("hello")
    made = by_hand(session, "code_execute", {
        "language": "bash", "code": "echo started; exec sleep 1234.5"})
    wait_until(lambda: of(session, "tool.progress"), what="the program to start")
    assert sleeping(), "the program runs"
    node.json("POST", "/v1/session/action", {
        "session_id": session, "action": "stop", "tool_call_id": made["tool_call_id"]})
    assert result_of(session, made["tool_call_id"])["status"] == "cancelled"
    wait_until(lambda: not sleeping(), what="the processes to be gone")


def sleeping():
    return subprocess.run(["pgrep", "-f", "^sleep 1234.5$"], stdout=subprocess.DEVNULL).returncode == 0


def killed():
    """kill -9 in the middle of calls: what may be run twice is, the other is interrupted"""
    session = turn("hello")
    program = by_hand(session, "code_execute", {"language": "bash", "code": "exec sleep 1234.5"})
    wait_until(sleeping, what="the program to run")
    node.kill()
    wait_until(lambda: not sleeping(), what="the program to go with the server")
    node.start()
    result = result_of(session, program["tool_call_id"])
    assert (result["status"], result["error"]["code"]) == ("interrupted", "tool.interrupted"), result
    # document_ingest may be run twice: killed before it ends, it is run again.
    accepted = send("read it", upload(node, ("a.txt", b"word " * 1000)))
    node.kill()
    node.start()
    session = accepted["session_id"]
    wait_until(lambda: any(m["final"] for m in of(session, "message.assistant")), 60, "the answer")
    results = [(r["tool_call_id"], r["status"]) for r in of(session, "tool.result")]
    calls = [(c["tool_call_id"], c["tool_id"], c["requested_by"]) for c in of(session, "tool.call")]
    assert [status for _, status in results] == ["success"] * len(calls), (calls, results)
    assert calls[0][1:] == ("document_ingest", "runtime"), calls


def killed_by_hand():
    """a call by hand that is run again after a crash is still its caller's"""
    session = turn("hello")
    [made] = upload(node, ("long.txt", b"word " * 50_000))
    call = by_hand(session, "document_ingest", {"attachment_id": made["id"]})
    node.kill()
    node.start()
    assert result_of(session, call["tool_call_id"])["status"] == "success"
    ends = [e for e in node.events(session) if e["type"] == "tool.result"]
    begun = [e for e in node.events(session) if e["type"] == "tool.call"]
    assert [e["meta"]["user_id"] for e in ends] == [e["meta"]["user_id"] for e in begun], ends


def much_attached():
    """what is read of large attachments is cut to the model's window, and the turn goes on"""
    files = [upload(node, (f"{n}.txt", b"word " * 20_000))[0] for n in range(4)]
    session = turn("read them", files)
    assert len(of(session, "tool.result")) == 4
    window = node.json("GET", f"/v1/sessions/{session}/context-window")
    assert window["tokens"] <= window["context_window"], (window["tokens"], window["context_window"])
    assert "cut here" in json.dumps(window), "the model is told"


def crowd():
    """five hundred calls at once keep to the tool's concurrency, and each gets its result"""
    node.json("PUT", "/v1/tool-catalog/code_execute", {"limits": {"concurrency": 3}})
    sessions = [turn("hello") for _ in range(4)]
    most, watching = [0], [True]

    def watch():
        while watching[0]:
            found = subprocess.run(["pgrep", "-fc", "^sleep 0.2021$"], capture_output=True, text=True)
            most[0] = max(most[0], int(found.stdout or 0))
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        calls = [(s, by_hand(s, "code_execute", {"language": "bash", "code": "sleep 0.2021"}))
                 for s in sessions for _ in range(4)]
        for session, call in calls:
            assert result_of(session, call["tool_call_id"])["status"] == "success"
        assert 1 <= most[0] <= 3, most
        quick = [sessions[n % 4] for n in range(500)]
        answers = [None] * len(quick)

        def ask(n):
            answers[n] = node.request("POST", "/v1/tool/request", {
                "session_id": quick[n], "tool_id": "echo", "inputs": {"text": str(n)}})
        threads = [threading.Thread(target=lambda part=part: [ask(n) for n in part])
                   for part in (range(k, 500, 20) for k in range(20))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        taken = [json.loads(text)["tool_call_id"] for status, _, text in answers if status == 202]
        assert all(status in (202, 429) for status, _, _ in answers), answers
        ended = [{r["tool_call_id"] for r in of(s, "tool.result")} for s in sessions]
        wait_until(lambda: set(taken) <= set().union(
            *({r["tool_call_id"] for r in of(s, "tool.result")} for s in sessions)),
            what="each result")
        assert len(set(taken)) == len(taken) > 20, (len(taken), len(ended))
    finally:
        watching[0] = False
        watcher.join()
        node.json("PUT", "/v1/tool-catalog/code_execute", {})


def large_output():
    """a result larger than its limit is trimmed for the model, and kept whole as an attachment"""
    session = turn("hello")
    node.json("PUT", "/v1/tool-catalog/echo", {"limits": {"output_bytes": 1000}})
    try:
        made = by_hand(session, "echo", {"text": "x" * 5000})
        output = result_of(session, made["tool_call_id"])["output"]
        assert output["truncated"] and len(output["text"]) <= 1000, output
        status, _, text = node.request("GET", f"/v1/attachments/{output['attachment_id']}")
        assert status == 200 and json.loads(text) == {"text": "x" * 5000}, text[:200]
    finally:
        node.json("PUT", "/v1/tool-catalog/echo", {})


def terminal():
    """soma tools lists what there is and runs one"""
    def soma(*args):
        return subprocess.run([os.path.join(BIN, "soma"), "tools", *args, "--url", f"http://127.0.0.1:{node.port}"],
                              env={**os.environ, "SOMA_ADMIN_KEY": ADMIN_KEY},
                              capture_output=True, text=True, timeout=60)
    listed = soma("ls")
    assert listed.returncode == 0 and "calculator" in listed.stdout, listed
    run = soma("run", "calculator", '{"expression":"6*7"}')
    assert run.returncode == 0 and "42" in run.stdout, run
    wrong = soma("run", "calculator", "{}")
    assert wrong.returncode == 1 and "expression" in wrong.stderr, wrong
    failed = soma("run", "code_execute", '{"language":"bash","code":"echo so far; echo why >&2; exit 3"}')
    assert failed.returncode == 1 and '"exit_code":3' in failed.stdout and "why" in failed.stdout, failed


def main():
    global node, rehearsal
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url).start()
    try:
        return run_tests([arithmetic, document, program, pictures, refused_picture, way_out,
                          stopped_while_out, denial, wrong_calls, stopped, killed,
                          killed_by_hand, much_attached, crowd,
                          large_output, terminal])
    finally:
        node.stop()
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(main())
