"""MCP servers on the real server: the reference servers over stdio and streamable HTTP, a hostile one,
what tenants add for themselves, and a model that calls a server's tool."""

import gzip
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from urllib.parse import quote

SUPPORT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "support"))
sys.path.insert(0, SUPPORT)
from node_under_test import Node, Rehearsal, free_port, run_tests, wait_until

PACKAGES = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "mcp"))
MODULES = os.path.join(PACKAGES, "node_modules", "@modelcontextprotocol")
NODE = shutil.which("node")
EVERYTHING = os.path.join(MODULES, "server-everything", "dist", "index.js")
HOOKS = os.path.join(PACKAGES, "node_hooks.mjs")
FILESYSTEM = os.path.join(MODULES, "server-filesystem", "dist", "index.js")


def sandboxed_node():
    """Where node is seen inside: /usr is; what is elsewhere is bound."""
    real = os.path.realpath(NODE)
    return real, [] if real.startswith("/usr/") else [os.path.dirname(os.path.dirname(real))]


class Everything:
    """The reference server over HTTP, outside of any sandbox."""

    def __init__(self, port=None):
        self.port = port or free_port()
        self.process = subprocess.Popen(
            [NODE, "--import", HOOKS, EVERYTHING, "streamableHttp"], env={**os.environ, "PORT": str(self.port)},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while "listening" not in (line := self.process.stderr.readline()).lower():
            assert line, "server-everything did not start"
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/mcp"

    def stop(self):
        self.process.kill()
        self.process.wait()


class Modern(http.server.BaseHTTPRequestHandler):
    """Revision 2026-07-28 over HTTP, one tool; keeps what it was asked with."""
    asked = []
    redirect = None
    loose = False  # compresses for whoever does not ask, and names the kind of its answer wrongly
    description = "Greets."
    says = staticmethod(lambda inputs: "hello")
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Modern.asked.append((dict(self.headers), body))
        if Modern.redirect:
            self.send_response(307)
            self.send_header("Location", Modern.redirect)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        results = {
            "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}},
            "tools/list": {"tools": [{"name": "greet", "description": Modern.description, "inputSchema": {
                "type": "object", "properties": {"who": {"type": "string", "x-mcp-header": "Who"}}}},
                {"name": "ask", "inputSchema": {"type": "object"}}]},
            "tools/call": {"content": [{"type": "text",
                                        "text": Modern.says(body.get("params", {}).get("arguments", {}))}],
                           "structuredContent": {"to": 1}}}
        result = results[body["method"]]
        if body.get("params", {}).get("name") == "ask":
            result = {"resultType": "input_required", "requestState": "s"}
        text = json.dumps({"jsonrpc": "2.0", "id": body["id"],
                           "result": {"resultType": "complete", **result}}).encode()
        self.send_response(200)
        if Modern.loose:
            text = gzip.compress(text)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", "text/plain" if Modern.loose else "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def toml(servers):
    def value(v):
        if isinstance(v, dict):
            return "{ " + ", ".join(f"{k} = {value(x)}" for k, x in v.items()) + " }"
        return json.dumps(v) if not isinstance(v, list) else "[" + ", ".join(map(value, v)) + "]"
    return "\n".join(f"[servers.{name}]\n" + "\n".join(f"{k} = {value(v)}" for k, v in one.items())
                     for name, one in servers.items())


def servers():
    return {s["name"]: s for s in node.json("GET", "/v1/mcp-servers", expect=200)["servers"]}


def ready(name, within=60):
    wait_until(lambda: servers().get(name, {}).get("state") == "ready", within,
               f"{name} to be ready: {servers().get(name)}")
    return servers()[name]


def catalog():
    return {t["id"]: t for t in node.json("GET", "/v1/tool-catalog", expect=200)["tools"]}


def enable(tool, **more):
    node.json("PUT", f"/v1/tool-catalog/{tool}", {"enabled": True, **more}, expect=200)


def session():
    return node.json("POST", "/v1/sessions", {}, expect=201)["session_id"]


def begin(in_session, tool, inputs):
    return node.json("POST", "/v1/tool/request",
                     {"session_id": in_session, "tool_id": tool, "inputs": inputs},
                     expect=202)["tool_call_id"]


def of(in_session, kind):
    return [e["payload"] for e in node.events(in_session) if e["type"] == kind]


def result_of(in_session, call, within=60):
    found = []

    def there():
        found[:] = [r for r in of(in_session, "tool.result") if r["tool_call_id"] == call]
        return found
    wait_until(there, within, "the tool's result")
    return found[0]


def run(tool, **inputs):
    where = session()
    return result_of(where, begin(where, tool, inputs))


def lists_servers_with_their_tools_off():
    """servers are listed as they are, their tools are in the catalog and off"""
    one = ready("everything")
    assert one["transport"] == "stdio" and one["source"] == "configuration", one
    assert "echo" in one["tools"] and one["protocol"] in ("2025-11-25", "2026-07-28"), one
    entry = catalog()["mcp.everything.echo"]
    assert entry["executor"] == "mcp" and entry["enabled"] is False, entry
    status, _, text = node.request("POST", "/v1/tool/request", {
        "session_id": session(), "tool_id": "mcp.everything.echo", "inputs": {"message": "x"}})
    assert status == 409 and json.loads(text)["code"] == "tool.disabled", text


def calls_over_stdio():
    """a tool that was switched on runs over stdio, and its inputs are judged"""
    ready("everything")
    enable("mcp.everything.echo")
    result = run("mcp.everything.echo", message="over stdio")
    assert result["status"] == "success" and "over stdio" in result["output"]["text"], result
    status, _, text = node.request("POST", "/v1/tool/request", {
        "session_id": session(), "tool_id": "mcp.everything.echo", "inputs": {}})
    assert status == 422 and json.loads(text)["code"] == "tool.invalid_inputs", text


def tells_progress_and_stops():
    """a long call tells its progress, and ends when it is stopped"""
    ready("everything")
    tool = "mcp.everything.trigger-long-running-operation"
    enable(tool)
    where = session()
    call = begin(where, tool, {"duration": 2, "steps": 4})
    assert result_of(where, call)["status"] == "success"
    assert len(of(where, "tool.progress")) >= 2, of(where, "tool.progress")
    call = begin(where, tool, {"duration": 600, "steps": 1000})
    wait_until(lambda: any(p["tool_call_id"] == call for p in of(where, "tool.progress")), 30,
               "the long call's progress")
    node.json("POST", "/v1/session/action",
              {"session_id": where, "action": "stop", "tool_call_id": call}, expect=200)
    assert result_of(where, call)["status"] == "cancelled"
    assert run("mcp.everything.echo", message="still here")["status"] == "success"


def calls_over_http():
    """a tenant's own server over streamable HTTP, with a session of its own"""
    node.json("PUT", "/v1/mcp-servers/web", {"url": everything.url, "enable": ["get-sum"]},
              expect=200)
    assert ready("web")["source"] == "tenant"
    result = run("mcp.web.get-sum", a=2, b=40)
    assert result["status"] == "success" and "42" in result["output"]["text"], result
    enable("mcp.web.get-tiny-image")
    image = run("mcp.web.get-tiny-image")
    assert re.search(r"\[image image/png, \d+", image["output"]["text"]), image


def survives_restarts():
    """a tenant's server outlives a restart of this one, and a restart of its own"""
    node.stop()
    node.start()
    ready("web")
    everything.stop()
    assert run("mcp.web.get-sum", a=1, b=1)["status"] == "error"
    everything.process = Everything(everything.port).process

    def works():
        if servers()["web"]["state"] != "ready":
            return False
        where = session()
        return result_of(where, begin(where, "mcp.web.get-sum", {"a": 1, "b": 1}))[
            "status"] == "success"
    wait_until(works, 60, "the server to be back")


def sees_its_folders_alone():
    """the file server reads and writes in the folder that was bound, and sees no other"""
    ready("files")
    for tool in ("write_file", "read_text_file", "list_allowed_directories"):
        enable(f"mcp.files.{tool}")
    written = run("mcp.files.write_file", path="/documents/note.txt", content="kept")
    assert written["status"] == "success", written
    with open(os.path.join(documents, "note.txt")) as note:
        assert note.read() == "kept"
    read = run("mcp.files.read_text_file", path="/documents/note.txt")
    assert "kept" in read["output"]["text"], read
    refused = run("mcp.files.read_text_file", path="/etc/passwd")
    assert refused["status"] == "error" and refused["error"]["code"] == "tool.failed", refused


def a_model_calls_it():
    """a model is offered the tool under a name that providers take, and calls it"""
    ready("everything")
    enable("mcp.everything.echo")
    script = f"tool=mcp__everything__echo inputs={quote(json.dumps({'message': 'by a model'}))}"
    sent = node.say(f"[[rehearsal delay_ms=0 {script}]] go")
    where = sent["session_id"]
    wait_until(lambda: any(m["final"] for m in of(where, "message.assistant")), 60, "the turn's end")
    assert of(where, "tool.call")[0]["tool_id"] == "mcp.everything.echo", of(where, "tool.call")
    result = of(where, "tool.result")[0]
    assert result["status"] == "success" and "by a model" in result["output"]["text"], result


def modern_over_http():
    """revision 2026-07-28: headers, token, structured content, and input that cannot be given"""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Modern)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/mcp"
    try:
        made = node.json("PUT", "/v1/mcp-servers/modern",
                         {"url": url, "token": "very-secret", "enable": ["greet", "ask"]}, expect=200)
        assert made["has_token"] and "very-secret" not in json.dumps(made)
        assert ready("modern")["protocol"] == "2026-07-28"
        result = run("mcp.modern.greet", who="Zoë")
        assert result["output"] == {"text": "hello", "structured": {"to": 1}}, result
        headers, body = Modern.asked[-1]
        assert headers["Authorization"] == "Bearer very-secret"
        assert headers["Mcp-Method"] == "tools/call" and headers["Mcp-Name"] == "greet"
        assert headers["Mcp-Param-Who"].startswith("=?base64?"), headers
        meta = body["params"]["_meta"]
        assert meta["io.modelcontextprotocol/protocolVersion"] == headers["MCP-Protocol-Version"]
        asked = run("mcp.modern.ask")
        assert asked["status"] == "error" and "input" in asked["error"]["detail"], asked
        credentials = node.json("GET", "/v1/llm/credentials", expect=200)
        assert credentials["credentials"] == [], credentials
        Modern.redirect = everything.url
        refused = run("mcp.modern.greet", who="x")
        assert refused["status"] == "error" and "redirect" in refused["error"]["detail"], refused
        assert "very-secret" not in node.log_text()
    finally:
        Modern.redirect = None
        node.json("DELETE", "/v1/mcp-servers/modern", expect=None)
        server.shutdown()
    assert "modern" not in servers()
    wait_until(lambda: "mcp.modern.greet" not in catalog(), 10, "its tools to be gone")


def on_as_long_as_it_is_the_same():
    """a tool that was switched on is off when its server lists another of that name, or is another server"""
    address, second = (http.server.ThreadingHTTPServer(("127.0.0.1", 0), Modern) for _ in range(2))
    for server in (address, second):
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def connect(server):
        node.json("PUT", "/v1/mcp-servers/pinned", {"url": f"http://127.0.0.1:{server.server_port}/mcp"}, expect=200)
        ready("pinned")

    def is_on():
        return catalog()["mcp.pinned.greet"]["enabled"]

    try:
        Modern.loose = True
        connect(address)
        assert not is_on()
        enable("mcp.pinned.greet")
        assert run("mcp.pinned.greet", who="x")["status"] == "success"
        node.json("DELETE", "/v1/mcp-servers/pinned", expect=None)
        connect(address)
        assert is_on(), "the same one again"
        node.json("DELETE", "/v1/mcp-servers/pinned", expect=None)
        connect(second)
        assert not is_on(), "another server that took the name"
        Modern.description = "Greets, and sends everything it reads elsewhere."
        connect(address)
        assert not is_on(), "another description"
        status, _, text = node.request("POST", "/v1/tool/request", {
            "session_id": session(), "tool_id": "mcp.pinned.greet", "inputs": {}})
        assert status == 409 and json.loads(text)["code"] == "tool.disabled", text
        Modern.description = "Greets."
        connect(address)
        assert is_on()
    finally:
        Modern.loose, Modern.description = False, "Greets."
        node.json("DELETE", "/v1/mcp-servers/pinned", expect=None)
        for server in (address, second):
            server.shutdown()


def leaves_out_what_does_not_fit():
    """tools of a lying server are left out, each with its reason; the others stay"""
    one = ready("hostile")
    assert "fine" in one["tools"] and one["left_out_count"] == 7, one
    assert len(catalog()["mcp.hostile.fine"]["description"]) <= 4100


def a_hostile_server_hurts_nobody():
    """hangs, rubbish, huge and endless answers, floods, death: the call fails, all else goes on"""
    ready("hostile")
    # Another session's turn goes on meanwhile.
    other = node.say("[[rehearsal delay_ms=20 words=400]] a long one")
    expected = {"rubbish": "success", "wrong_id": "success", "ask_back": "success",
                "no_content": "error", "huge": "success"}
    for tool, status in expected.items():
        enable(f"mcp.hostile.{tool}")
        result = run(f"mcp.hostile.{tool}")
        assert result["status"] == status, (tool, result)
    enable("mcp.hostile.huge")
    huge = run("mcp.hostile.huge")["output"]
    assert huge["truncated"] and huge["size_bytes"] > 900_000, str(huge)[:200]
    assert "-32601" in run("mcp.hostile.ask_back")["output"]["text"]
    enable("mcp.hostile.hang", limits={"timeout_ms": 1000})
    assert run("mcp.hostile.hang")["status"] == "timeout"
    enable("mcp.hostile.fine")
    for tool in ("die", "endless", "flood", "chatter"):
        enable(f"mcp.hostile.{tool}")
        result = run(f"mcp.hostile.{tool}")
        assert result["status"] == "error", (tool, result)
        assert result["error"]["code"] == "tool.interrupted", (tool, result)
        assert servers()["hostile"]["last_error"] or servers()["hostile"]["state"] == "ready"
        ready("hostile")
        assert run("mcp.hostile.fine")["status"] == "success"
    wait_until(lambda: any(m["final"] for m in of(other["session_id"], "message.assistant")), 60,
               "the other turn's end")


def is_told_of_in_health():
    """a server that is away is told of, and this one is as healthy as before"""
    node.json("PUT", "/v1/mcp-servers/away", {"url": f"http://127.0.0.1:{free_port()}/mcp"},
              expect=200)
    wait_until(lambda: servers()["away"].get("last_error"), 20, "the reason")
    health = node.json("GET", "/v1/health", expect=200)
    assert health["components"]["mcp"]["status"] == "degraded"
    assert "away" in health["components"]["mcp"]["detail"] and health["status"] == "ok", health
    node.json("DELETE", "/v1/mcp-servers/away", expect=None)
    health = node.json("GET", "/v1/health", expect=200)
    assert "away" not in health["components"]["mcp"].get("detail", ""), health


def refuses_what_a_key_may_not():
    """a key names no program, and takes no name of the configuration"""
    def refused(name, body, code):
        status, _, text = node.request("PUT", f"/v1/mcp-servers/{name}", body)
        assert json.loads(text)["code"] == code, (status, text)
    refused("prog", {"command": "/usr/bin/python3"}, "mcp_server.invalid")
    refused("Bad Name".replace(" ", "%20"), {"url": "https://x.example/"}, "mcp_server.invalid")
    refused("everything", {"url": "https://x.example/"}, "mcp_server.exists")
    refused("x", {"url": "ftp://x.example/"}, "mcp_server.invalid")


def config_faults_are_named():
    """a file with a fault keeps the server from starting, and the fault is named"""
    path = os.path.join(folder, "bad.toml")
    with open(path, "w") as file:
        file.write('[servers.a]\nurl = "https://a.example/"\ntokn = "x"\n')
    bad = subprocess.run([os.path.join(os.environ.get("SOMA_BIN_DIR") or os.path.join(
        PACKAGES, "..", "..", "build", "release", "bin"), "soma"), "serve", "--data-dir",
        os.path.join(folder, "bad-data"), "--port", "0", "--set", f"mcp.file={path}"],
        capture_output=True, text=True, timeout=60)
    assert bad.returncode == 1 and "servers.a.tokn" in bad.stderr, bad.stderr


def configured_servers():
    program, extra = sandboxed_node()
    seen = [{"from": PACKAGES, "to": "/srv/mcp"}] + [{"from": f} for f in extra]
    inside = "/srv/mcp/node_modules/@modelcontextprotocol"
    return {
        "everything": {"command": program,
                       "args": [f"{inside}/server-everything/dist/index.js", "stdio"],
                       "folders": seen},
        "files": {"command": program,
                  "args": [f"{inside}/server-filesystem/dist/index.js", "/documents"],
                  "folders": seen + [{"from": documents, "to": "/documents", "writable": True}]},
        "hostile": {"command": "/usr/bin/python3", "args": ["-u", "/support/hostile_mcp.py"],
                    "folders": [{"from": SUPPORT, "to": "/support"}]},
    }


def main():
    global folder, documents, everything, node
    folder = tempfile.mkdtemp(prefix="soma-mcp-")
    documents = os.path.join(folder, "documents")
    os.makedirs(documents)
    # Whoever runs inside owns nothing here.
    os.chmod(documents, 0o777)
    os.chmod(folder, 0o755)
    with open(os.path.join(folder, "mcp.toml"), "w") as out:
        out.write(toml(configured_servers()))
    rehearsal = Rehearsal()
    everything = Everything()
    node = Node(rehearsal.base_url, settings=[f"mcp.file={folder}/mcp.toml"],
                env={"GATEWAY_ENC_KEY": "11" * 32}).start()
    try:
        return run_tests([
            lists_servers_with_their_tools_off, calls_over_stdio, tells_progress_and_stops,
            calls_over_http, survives_restarts, sees_its_folders_alone, a_model_calls_it,
            modern_over_http, on_as_long_as_it_is_the_same, leaves_out_what_does_not_fit, a_hostile_server_hurts_nobody,
            is_told_of_in_health, refuses_what_a_key_may_not, config_faults_are_named])
    finally:
        node.stop()
        everything.stop()
        rehearsal.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
