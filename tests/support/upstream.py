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


def chat(body):
    if not body.get("stream"):
        return None, json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "up",
                                 "choices": [{"index": 0, "finish_reason": "stop", "message": {
                                     "role": "assistant", "content": TEXT}}], "usage": CHAT_USAGE})
    call = {"index": 0, "function": {}}
    if body["model"] == "calls":
        pieces = [chat_chunk({"role": "assistant", "content": None, "tool_calls": [
            {"index": 0, "id": "call_1", "type": "function",
             "function": {"name": "clock", "arguments": ""}}]})]
        pieces += [chat_chunk({"tool_calls": [{**call, "function": {"arguments": part}}]})
                   for part in ('{"zone"', ':"U', 'TC"}')]
        pieces += [chat_chunk({}, "tool_calls")]
    else:
        pieces = [chat_chunk({"role": "assistant", "content": ""})]
        pieces += [chat_chunk({"content": part}) for part in ("It ", "works.")]
        pieces += [chat_chunk({}, "stop")]
    usage = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "up",
             "choices": [], "usage": CHAT_USAGE}
    if body.get("stream_options", {}).get("include_usage"):
        pieces.append(event(usage))
    return pieces + ["data: [DONE]\n\n"], None


def messages(body):
    return [event({"type": "message_start", "message": {"usage": {"input_tokens": 10}}}),
            event({"type": "content_block_start", "index": 0,
                   "content_block": {"type": "text", "text": ""}}),
            event({"type": "content_block_delta", "index": 0,
                   "delta": {"type": "text_delta", "text": TEXT}}),
            event({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
                   "usage": {"output_tokens": 5}}), event({"type": "message_stop"})], None


def responses(body):
    return [event({"type": "response.output_text.delta", "output_index": 0, "delta": TEXT}),
            event({"type": "response.completed", "response": {
                "status": "completed", "usage": {"input_tokens": 10, "output_tokens": 5}}})], None


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
STATUSES = {"fail": "500 No", "unauthorized": "401 Who", "gone": "404 Where", "limited": "429 Slow"}


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
        with self.lock:
            self.requests.append((path, headers, body))
        model = body.get("model", "")
        if model in STATUSES:
            text = json.dumps({"error": {"message": f"about {headers.get('authorization', '')}"}})
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
