"""What is large and not a body: providers' documents, histories and exports. Their bytes are bounded,
whoever asks for them and however slowly they are read, and nobody else notices."""

import http.client
import json
import os
import random
import socket
import string
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import ADMIN_KEY, Node, run_tests, wait_until
from upstream import Upstream

node = provider = talker = elsewhere = None
MIB = 1 << 20


class Embedder:
    """Gives as many bytes of embeddings as it is asked for by the model's name."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.base_url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    @staticmethod
    def document(size):
        row = b'{"embedding":[' + b"-0.006929283495992422," * 1000 + b"1]}"
        return (b'{"object":"list","data":[' + b",".join([row] * (size // len(row))) +
                b'],"usage":{"prompt_tokens":7}}')

    def serve(self, client):
        try:
            unread = b""
            while b"\r\n\r\n" not in unread:
                piece = client.recv(65536)
                if not piece:
                    return
                unread += piece
            head, _, body = unread.partition(b"\r\n\r\n")
            if b"POST" not in head[:5]:
                client.sendall(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
                return
            while not body.endswith(b"}"):
                body += client.recv(65536)
            document = self.document(int(json.loads(body)["model"]))
            client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(document) + document)
        except OSError:
            pass
        finally:
            client.close()


def profile(name, size):
    node.json("PUT", f"/v1/model-profiles/{name}", {"model": str(size), "base_url": provider.base_url,
                                                    "role": "extra"}, expect=200)


def begin(name, key):
    """Asks for embeddings and reads the head of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=30)
    connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.request("POST", "/v1/embeddings", json.dumps({"model": name, "input": "a"}),
                       {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    return connection, connection.getresponse()


def whole(name, key):
    connection, answer = begin(name, key)
    text = answer.read()
    connection.close()
    return answer.status, text


def peak_after(what):
    """MiB that the server's memory grew by at most while `what` ran."""
    def status(field):
        with open(f"/proc/{node.process.pid}/status") as file:
            return int(next(line.split()[1] for line in file if line.startswith(field))) // 1024
    with open(f"/proc/{node.process.pid}/clear_refs", "w") as file:
        file.write("5")
    before = status("VmRSS")
    what()
    return status("VmHWM") - before


def embeddings_are_counted():
    """embeddings count while somebody reads them; one tenant has half, and its refusal is told"""
    for tenant in (ADMIN_KEY, elsewhere):
        node.request("PUT", "/v1/model-profiles/large",
                     {"model": str(12 * MIB), "base_url": provider.base_url, "role": "extra"}, key=tenant)
    expected = Embedder.document(12 * MIB)
    unread = begin("large", ADMIN_KEY)
    assert unread[1].status == 200, unread[1].read()
    assert int(unread[1].headers["Content-Length"]) == len(expected)
    status, text = whole("large", ADMIN_KEY)
    assert status == 503 and json.loads(text)["error"]["code"] == "server.busy", (status, text[:300])
    status, text = whole("large", elsewhere)
    assert status == 200 and text == expected, (status, text[:300])
    assert unread[1].read() == expected
    unread[0].close()
    wait_until(lambda: whole("large", ADMIN_KEY) == (200, expected), what="the room to be given back")


def embeddings_are_no_copies():
    """many large embeddings at once take what they may and no more, and each is whole or refused"""
    profile("large", 12 * MIB)
    expected = Embedder.document(12 * MIB)
    answers = []
    def ask_all():
        threads = [threading.Thread(target=lambda: answers.append(whole("large", ADMIN_KEY)))
                   for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    grown = peak_after(ask_all)
    assert {status for status, _ in answers} <= {200, 503}, answers
    # Where all come at once each may find the room taken by parts of the others.
    assert whole("large", ADMIN_KEY) == (200, expected)
    assert all(text == expected for status, text in answers if status == 200)
    assert grown < 48, f"{grown} MiB for 16 MiB of documents of one tenant"


def too_long_embeddings():
    """embeddings past their bound are refused as a bad answer"""
    profile("endless", 100 * MIB)
    status, text = whole("endless", ADMIN_KEY)
    assert status == 503 or status == 502, (status, text[:300])


def long_session():
    text = "x" * 250_000
    session = None
    for _ in range(100):
        session = node.say(text, session)["session_id"]
    head = lambda: node.events(session, types="message.assistant")
    wait_until(lambda: len(head()) >= 100, seconds=60, what="all to be answered")
    node.stop()
    node.start()  # which leaves the session out of memory
    return session


def histories_are_told_in_pieces():
    """a history of 25 MB, asked for four times at once, takes a few MB; so does one that nobody reads"""
    session = long_session()
    path = f"/v1/sessions/{session}/history"
    last = node.events(session)[-1]["meta"]["event_id"]
    sizes = []
    def ask():
        status, headers, text = node.request("GET", path)
        told = json.loads(text)
        assert status == 200 and headers.get("Transfer-Encoding") == "chunked", headers
        assert told["last_event_id"] == last and told["history"].count("**User**") == 100, last
        assert told["history"].count("x" * 250_000) >= 100
        assert told["tokens"] == (len(told["history"].encode()) + 3) // 4 + 4, told["tokens"]
        sizes.append(len(text))
    def ask_all():
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    def unread():
        held = []
        for _ in range(8):
            client = socket.create_connection(("127.0.0.1", node.port), timeout=20)
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                           f"Authorization: Bearer {ADMIN_KEY}\r\n\r\n".encode())
            assert client.recv(15) == b"HTTP/1.1 200 OK"
            held.append(client)
        assert node.request("GET", path)[0] == 200
        for client in held:
            client.close()
    grown = peak_after(ask_all)
    assert len(sizes) == 4, sizes
    assert grown < 100, f"{grown} MiB for four histories of 25 MB"
    grown = peak_after(unread)
    assert grown < 100, f"{grown} MiB for eight histories that nobody reads"


def exports_have_places():
    """exports that nobody reads take their own places, and keep no page and no other tenant waiting"""
    session = node.json("GET", "/v1/sessions", expect=200)["sessions"][0]["session_id"]
    held, statuses = [], []
    body = json.dumps({"session_id": session}).encode()
    for _ in range(34):
        client = socket.create_connection(("127.0.0.1", node.port), timeout=20)
        client.sendall(b"POST /v1/sessions/export HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/"
                       b"json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s" %
                       (ADMIN_KEY.encode(), len(body), body))
        statuses.append(int(client.recv(64).split(b" ")[1]))
        held.append(client)
    assert statuses == [200] * 32 + [503] * 2, statuses
    assert node.request("GET", f"/v1/sessions/{session}/events?limit=1")[0] == 200
    assert node.request("GET", f"/v1/sessions/{session}/history")[0] == 200
    theirs = json.loads(node.request("POST", "/v1/sessions", {}, key=elsewhere)[2])["session_id"]
    status, _, text = node.request("POST", "/v1/sessions/export", {"session_id": theirs}, key=elsewhere)
    assert status == 200 and theirs in text, text[:300]
    for client in held:
        client.close()
    wait_until(lambda: node.request("POST", "/v1/sessions/export", {"session_id": session})[0] == 200,
               what="the places to be given back")


def a_tenants_part_of_the_disk():
    """a tenant that has filled its part of the disk begins nothing new, harms nobody, and deletes"""
    mine = Node(talker.base_url, ["quota.stored_bytes=6291456"], env={"SOMA_LLM_MODEL": "ok"})
    other = mine.new_key("--tenant", "elsewhere")
    mine.start()
    try:
        sessions, refused = [], None
        for _ in range(60):
            text = "".join(random.choices(string.ascii_letters + string.digits, k=250_000))
            status, _, answer = mine.request("POST", "/v1/session/message", {"message": text})
            if status != 202:
                refused = (status, json.loads(answer)["code"])
                break
            sessions.append(json.loads(answer)["session_id"])
        assert refused == (507, "quota.storage"), refused
        assert 8 < len(sessions) < 50, len(sessions)
        for session in sessions:  # what had begun has ended
            wait_until(lambda: mine.events(session, types="llm.complete"), what="an answer")
        status, _, answer = mine.request("POST", "/v1/sessions", {})
        assert status == 507 and json.loads(answer)["code"] == "quota.storage", answer
        document = mine.request("POST", "/v1/sessions/export", {"session_id": sessions[0]})[2]
        status, _, answer = mine.request("POST", "/v1/sessions/import", document.encode(),
                                         {"Content-Type": "application/x-ndjson"})
        assert status == 507 and json.loads(answer)["code"] == "quota.storage", answer
        assert mine.request("POST", "/v1/session/message", {"message": "hello"}, key=other)[0] == 202
        for session in sessions:
            assert mine.request("DELETE", f"/v1/sessions/{session}")[0] == 204
        wait_until(lambda: mine.request("POST", "/v1/sessions", {})[0] == 201, seconds=90,
                   what="the space to be given back")
    finally:
        mine.stop()


def main():
    global node, provider, talker, elsewhere
    provider, talker = Embedder(), Upstream()
    node = Node(talker.base_url, ["llm.documents_bytes_max=33554432"], env={"SOMA_LLM_MODEL": "ok"})
    elsewhere = node.new_key("--tenant", "elsewhere", "--role", "admin")
    node.start()
    try:
        return run_tests([embeddings_are_counted, embeddings_are_no_copies, too_long_embeddings,
                          histories_are_told_in_pieces, exports_have_places,
                          a_tenants_part_of_the_disk])
    finally:
        node.stop()


if __name__ == "__main__":
    sys.exit(main())
