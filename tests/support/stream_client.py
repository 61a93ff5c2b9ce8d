"""Reads an event stream frame by frame, as its bytes come. Standard library only. `whole` says after
the end whether the last chunk came: a stream without it was cut."""

import json
import socket
import time

from node_under_test import ADMIN_KEY


class Stream:
    """One connection to a stream. `next` gives its blocks as dicts of id, event, data, retry."""

    def __init__(self, node, path, headers=None, key=ADMIN_KEY, receive_bytes=None, seconds=20,
                 source="127.0.0.1"):
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(seconds)
        self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", node.port))
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{node.port}"]
        if key:
            lines.append(f"Authorization: Bearer {key}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.buffer = self.chunks = b""
        self.ended = self.chunked = self.whole = False
        head = self._until(b"\r\n\r\n").decode()
        status, *fields = head.split("\r\n")
        self.status = int(status.split(" ")[1])
        self.headers = {name.lower(): value.strip()
                        for name, _, value in (f.partition(":") for f in fields)}
        if self.headers.get("transfer-encoding") == "chunked":
            self.chunked, self.chunks, self.buffer = True, self.buffer, b""
            self._decode()
        if self.status != 200:
            length = int(self.headers.get("content-length", "0"))
            while len(self.buffer) < length and self._fill():
                pass
            self.body = self.buffer.decode()

    def _fill(self):
        piece = self.socket.recv(1 << 16)
        self.ended = self.ended or not piece
        if self.chunked:
            self.chunks += piece
            self._decode()
        else:
            self.buffer += piece
        return bool(piece)

    def _decode(self):
        """Moves the content of whole chunks from `chunks` to `buffer`."""
        done, found = 0, []
        while (line := self.chunks.find(b"\r\n", done)) >= 0:
            size = int(self.chunks[done:line], 16)
            end = line + 2 + size
            if len(self.chunks) < end + 2:
                break
            if self.chunks[end:end + 2] != b"\r\n" or self.whole:
                raise AssertionError(f"not a chunk: {self.chunks[done:end + 2][:200]!r}")
            self.whole = size == 0
            found.append(self.chunks[line + 2:end])
            done = end + 2
        self.buffer += b"".join(found)
        self.chunks = self.chunks[done:]

    def _until(self, mark):
        searched = 0
        while True:
            at = self.buffer.find(mark, searched)
            if at >= 0:
                found, self.buffer = self.buffer[:at], self.buffer[at + len(mark):]
                return found
            searched = max(0, len(self.buffer) - len(mark))
            if not self._fill():
                return None

    def next(self, seconds=20):
        """The next block, or None at the end of the stream."""
        self.socket.settimeout(seconds)
        block = self._until(b"\n\n")
        if block is None:
            if self.buffer or self.chunks:
                raise AssertionError(
                    f"the stream ended in the middle of a frame: {self.buffer + self.chunks!r}")
            return None
        found = {}
        for line in block.decode().split("\n"):
            name, colon, value = line.partition(": ")
            if not colon or name not in ("id", "event", "data", "retry") or name in found:
                raise AssertionError(f"not a line of ours: {line!r} in {block!r}")
            found[name] = json.loads(value) if name == "data" else value
        return found

    def next_event(self, seconds=20, skip=("heartbeat",)):
        """The next block with data that is no heartbeat; None at the end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            block = self.next(seconds)
            if block is None or ("data" in block and block.get("event") not in skip):
                return block
        raise AssertionError("no event came")

    def until(self, wanted, seconds=30):
        """All events up to and with the first that `wanted(event type, data)`."""
        seen = []
        while True:
            block = self.next_event(seconds)
            if block is None:
                raise AssertionError(f"the stream ended after {[b['event'] for b in seen]}")
            seen.append(block)
            if wanted(block["event"], block["data"]):
                return seen

    def rest(self, seconds=20):
        """Everything to the end of the stream."""
        seen = []
        while (block := self.next(seconds)) is not None:
            seen.append(block)
        return seen

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def is_final(event, data):
    return event == "message.assistant" and data["payload"]["final"]
