"""A server of the Model Context Protocol over stdio that behaves as badly as its tool is told to.
Standard library only; runs inside the sandbox. Speaks revision 2025-11-25."""

import json
import os
import sys
import threading

OBJECT = {"type": "object", "properties": {"n": {"type": "integer"}}}
# What a client must leave out, each for a reason of its own.
BAD_TOOLS = [
    {"name": "bad name!", "inputSchema": OBJECT},
    {"name": "x" * 200, "inputSchema": OBJECT},
    {"name": "fine", "inputSchema": OBJECT},  # a second one of that name
    {"name": "no_schema", "inputSchema": "none"},
    {"name": "list_schema", "inputSchema": []},
    {"name": "huge_schema", "inputSchema": {"type": "object", "description": "y" * 100_000}},
    "no object",
]
GOOD_TOOLS = ["fine", "hang", "rubbish", "huge", "endless", "die", "no_content", "wrong_id", "flood", "chatter",
              "ask_back", "quit_politely", "count"]
lock = threading.Lock()


def send(message):
    with lock:
        sys.stdout.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
        sys.stdout.flush()


def answer(request, result):
    send({"jsonrpc": "2.0", "id": request["id"], "result": result})


def text(value):
    return {"content": [{"type": "text", "text": value}]}


def call(request, name):
    if name == "hang":
        return None
    if name == "rubbish":
        send("this is no JSON")
        send('{"jsonrpc":"1.0"}')
        send("[" * 5000)
        return answer(request, text("after rubbish"))
    if name == "huge":
        return answer(request, text("z" * 1_000_000))
    if name == "endless":
        with lock:
            while True:
                sys.stdout.write("e" * 65536)
    if name == "chatter":
        while True:
            sys.stderr.write("e" * 65536)
    if name == "die":
        os._exit(3)
    if name == "no_content":
        return answer(request, {"something": "else"})
    if name == "wrong_id":
        send({"jsonrpc": "2.0", "id": 999_999, "result": text("of another call")})
        send({"jsonrpc": "2.0", "id": "text", "result": text("of no call")})
        return answer(request, text("the right one"))
    if name == "flood":
        for n in range(100_000):
            send({"jsonrpc": "2.0", "method": "notifications/progress",
                  "params": {"progressToken": 12345678, "progress": n}})
        return answer(request, text("after the flood"))
    if name == "ask_back":
        send({"jsonrpc": "2.0", "id": "s1", "method": "sampling/createMessage", "params": {}})
        reply = json.loads(sys.stdin.readline())
        return answer(request, text(f"refused with {reply['error']['code']}"))
    return answer(request, text(f"{name} is well, process {os.getpid()}"))


def main():
    for line in sys.stdin:
        request = json.loads(line)
        method = request.get("method")
        if method == "initialize":
            answer(request, {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                             "serverInfo": {"name": "hostile", "version": "1"}})
        elif method == "tools/list":
            answer(request, {"tools": [{"name": n, "inputSchema": OBJECT, "description": "d" * 9000}
                                       for n in GOOD_TOOLS] + BAD_TOOLS})
        elif method == "tools/call":
            call(request, request["params"]["name"])
        elif method == "notifications/cancelled":
            sys.stderr.write("cancelled\n")
        elif "id" in request:
            send({"jsonrpc": "2.0", "id": request["id"],
                  "error": {"code": -32601, "message": "no such method"}})


main()
