"""A scripted model provider that speaks all three wire formats. What it does is said by the model
it is asked for; it keeps what it was asked and counts the connections that are open."""

import json
import re
import socket
import threading

TEXT = "It works."


def event(data, name=None):
    return (f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n"


def chat_chunk(delta, finish=None, **more):
    return event({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "up",
                  "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more})


CHAT_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
              "prompt_tokens_details": {"cached_tokens": 4}}


JSON_TEXT = '{"n":"Rome"}'  # where a format is asked for


def wants_call(body):
    """`calls` calls its tool always, `once` until it has its result."""
    said = json.dumps(body.get("messages") or body.get("input"))
    return body.get("model") == "calls" or (
        body.get("model") == "once" and '"tool"' not in said and "tool_result" not in said and
        "function_call_output" not in said)


def chat(body):
    text = JSON_TEXT if body.get("response_format") else TEXT
    if not body.get("stream"):
        message, reason = {"role": "assistant", "content": text}, "stop"
        if wants_call(body):
            reason = "tool_calls"
            message = {"role": "assistant", "content": None, "tool_calls": [
                {"id": "call_1", "type": "function",
                 "function": {"name": "clock", "arguments": '{"zone":"UTC"}'}}]}
        return None, json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "up",
                                 "choices": [{"index": n, "finish_reason": reason, "message": message}
                                             for n in range(body.get("n") or 1)],
                                 "usage": CHAT_USAGE})
    call = {"index": 0, "function": {}}
    if wants_call(body):
        pieces = [chat_chunk({"role": "assistant", "content": None, "tool_calls": [
            {"index": 0, "id": "call_1", "type": "function",
             "function": {"name": "clock", "arguments": ""}}]})]
        pieces += [chat_chunk({"tool_calls": [{**call, "function": {"arguments": part}}]})
                   for part in ('{"zone"', ':"U', 'TC"}')]
        pieces += [chat_chunk({}, "tool_calls")]
    else:
        pieces = [chat_chunk({"role": "assistant", "content": ""})]
        pieces += [chat_chunk({"content": part}) for part in (text[:3], text[3:])]
        pieces += [chat_chunk({}, "stop")]
    usage = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "up",
             "choices": [], "usage": CHAT_USAGE}
    if body.get("stream_options", {}).get("include_usage"):
        pieces.append(event(usage))
    return pieces + ["data: [DONE]\n\n"], None


def messages(body):
    """Anthropic's events, as its own SDK takes them: tests/integration/clients_test.py."""
    usage = {"input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 0,
             "cache_creation_input_tokens": 0}
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": body.get("model", "up"),
             "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    formatted = any(tool["name"] == "json_answer" for tool in body.get("tools", []))
    if formatted or wants_call(body):
        name, inputs = ("json_answer", JSON_TEXT) if formatted else ("clock", '{"zone":"UTC"}')
        block = {"type": "tool_use", "id": "toolu_1", "name": name, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": part}
                  for part in (inputs[:4], inputs[4:])]
        reason = "tool_use"
    else:
        block = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": part} for part in (TEXT[:3], TEXT[3:])]
        reason = "end_turn"
    if not body.get("stream"):
        whole = {**block, **({"input": json.loads(inputs)} if reason == "tool_use" else {"text": TEXT})}
        return None, json.dumps({**start, "content": [whole], "stop_reason": reason,
                                 "usage": {**usage, "output_tokens": 5}})
    events = [{"type": "message_start", "message": start},
              {"type": "content_block_start", "index": 0, "content_block": block}, {"type": "ping"},
              *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
              {"type": "content_block_stop", "index": 0},
              {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None},
               "usage": {"output_tokens": 5}}, {"type": "message_stop"}]
    return [event(one, one["type"]) for one in events], None


def responses(body):
    """The Responses API's events, as OpenAI's own SDK takes them."""
    text = JSON_TEXT if "format" in body.get("text", {}) else TEXT
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
            "content": [part]}
    if wants_call(body):
        item = {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1",
                "name": "clock", "arguments": '{"zone":"UTC"}'}
    begun = {"id": "resp_1", "object": "response", "created_at": 1, "model": "up", "output": [],
             "status": "in_progress", "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
             "error": None, "incomplete_details": None, "instructions": None, "metadata": {},
             "temperature": 1, "top_p": 1}
    done = {**begun, "status": "completed", "output": [item], "usage": {
        "input_tokens": 10, "output_tokens": 5, "total_tokens": 15,
        "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}}
    if not body.get("stream"):
        return None, json.dumps(done)
    place = {"output_index": 0, "item_id": item["id"]}
    events = [{"type": "response.created", "response": begun},
              {"type": "response.in_progress", "response": begun}]
    if item["type"] == "function_call":
        events += [{"type": "response.output_item.added", "output_index": 0,
                    "item": {**item, "status": "in_progress", "arguments": ""}},
                   {"type": "response.function_call_arguments.delta", **place,
                    "delta": item["arguments"]},
                   {"type": "response.function_call_arguments.done", **place,
                    "arguments": item["arguments"]}]
    else:
        where = {**place, "content_index": 0}
        events += [{"type": "response.output_item.added", "output_index": 0,
                    "item": {**item, "status": "in_progress", "content": []}},
                   {"type": "response.content_part.added", **where, "part": {**part, "text": ""}},
                   {"type": "response.output_text.delta", **where, "delta": text[:3]},
                   {"type": "response.output_text.delta", **where, "delta": text[3:]},
                   {"type": "response.output_text.done", **where, "text": text},
                   {"type": "response.content_part.done", **where, "part": part}]
    events += [{"type": "response.output_item.done", "output_index": 0, "item": item},
               {"type": "response.completed", "response": done}]
    return [event({**one, "sequence_number": n}, one["type"]) for n, one in enumerate(events)], None


def embeddings(body):
    count = len(body["input"]) if isinstance(body["input"], list) else 1
    return None, json.dumps({"object": "list", "model": "up", "data": [
        {"object": "embedding", "index": n, "embedding": [0.5, -1]} for n in range(count)],
        "usage": {"prompt_tokens": 7, "total_tokens": 7}})


def models(_body):
    return None, json.dumps({"object": "list", "data": [{"id": "ok", "object": "model"},
                                                        {"id": "other", "object": "model"}]})


ROUTES = {"/v1/chat/completions": chat, "/v1/messages": messages, "/v1/responses": responses,
          "/v1/embeddings": embeddings, "/v1/models": models}
STATUSES = {"fail": "500 No", "unauthorized": "401 Who", "gone": "404 Where", "limited": "429 Slow",
            "wrong": "400 No", "large": "413 No", "long": "400 Long"}


class Upstream:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        self.lock = threading.Lock()
        self.open, self.requests = 0, []  # (path, lower-case headers, body)
        self.release = threading.Event()  # lets what is asked of `held` go on
        threading.Thread(target=self.accept, daemon=True).start()

    def asked(self, model):
        with self.lock:
            return [r for r in self.requests if r[2].get("model") == model]

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with self.lock:
            self.open += 1
        try:
            unread = b""
            while True:
                while b"\r\n\r\n" not in unread:
                    piece = client.recv(65536)
                    if not piece:
                        return
                    unread += piece
                    if unread[0] == 0x16:  # TLS
                        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                        return
                head, _, unread = unread.partition(b"\r\n\r\n")
                lines = head.decode("latin1").split("\r\n")
                length = re.search(r"content-length: (\d+)", head.decode("latin1"), re.IGNORECASE)
                length = int(length[1]) if length else 0
                while len(unread) < length:
                    unread += client.recv(65536)
                body, unread = unread[:length], unread[length:]
                headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines[1:])}
                self.answer(client, lines[0].split(" ")[1], headers, json.loads(body or b"{}"))
        except OSError:
            pass
        finally:
            with self.lock:
                self.open -= 1
            client.close()

    def answer(self, client, path, headers, body):
        if path not in ROUTES and path != "/v1/state":  # what a profile is asked about, such as its window
            client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        with self.lock:
            self.requests.append((path, headers, body))
        model = body.get("model", "")
        if model in STATUSES:
            about = ("This model's maximum context length is 8 tokens" if model == "long"
                     else f"about {headers.get('authorization', '')}")
            text = json.dumps({"error": {"message": about}})
            client.sendall(f"HTTP/1.1 {STATUSES[model]}\r\nContent-Length: {len(text)}\r\n"
                           f"Retry-After: 0\r\n\r\n{text}".encode())
            return
        if model == "limited_once" and len(self.asked(model)) == 1:
            client.sendall(b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n")
            return
        if path == "/v1/state":
            state = json.dumps({"open": self.open, "asked": [r[2].get("model") for r in self.requests]})
            client.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(state)}\r\n\r\n{state}".encode())
            return
        if model == "page":
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>")
            return
        if model == "held":
            self.release.wait(30)
        pieces, document = ROUTES[path](body)
        if document is not None:
            client.sendall((f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                            f"Content-Length: {len(document.encode())}\r\n\r\n{document}").encode())
            return
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                       b"Transfer-Encoding: chunked\r\n\r\n")
        for n, piece in enumerate(pieces):
            data = piece.encode()
            client.sendall(b"%x\r\n%s\r\n" % (len(data), data))
            if model == "hang" and n == 1:
                client.recv(1)  # the end of input: the gateway let go
                raise OSError("let go")
        client.sendall(b"0\r\n\r\n")

    def stop(self):
        self.release.set()
        self.listener.close()
