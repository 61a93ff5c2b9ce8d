"""What a hostile or clumsy client of the network may do to a running server, and what it may not: take
its descriptors, its connections or its memory, lock others out, or go on reading after its identity
is gone. Small loads, loopback only."""

import http.client
import json
import os
import resource
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import ADMIN_KEY, Node, Rehearsal, run_tests, wait_until
from stream_client import Stream

rehearsal = node = None


def new_session(key=ADMIN_KEY):
    status, _, text = node.request("POST", "/v1/sessions", {}, key=key)
    assert status == 201, text
    return json.loads(text)["session_id"]


def new_key(**members):
    return node.json("POST", "/v1/keys", {"name": "k", "role": "user", **members}, expect=201)


def until_cut(stream):
    """Reads to the end, which must be a cut without session.close."""
    while (block := stream.next()) is not None:
        assert block.get("event") != "session.close", block
    assert not stream.whole, "the stream ended as if its session had"


def refused_bodies():
    """a client that sends its whole body before it reads gets the refusal, not a broken pipe"""
    body = b"x" * (10 << 20)
    session = new_session()
    key = {"Authorization": f"Bearer {ADMIN_KEY}"}
    json_type = {"Content-Type": "application/json"}
    for path, headers, expected in (
            (f"/v1/sessions/{session}/events", {**key, **json_type}, 413),
            (f"/v1/sessions/{session}/events", json_type, 401),
            ("/v1/auth/login", json_type, 413),
            ("/v1/none", key, 404),
            (f"/v1/sessions/{session}/events", {**key, **json_type, "Content-Encoding": "gzip"}, 415)):
        connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=20)
        connection.request("POST", path, body, headers)  # raises where the pipe breaks
        answer = connection.getresponse()
        assert answer.status == expected, (path, answer.status)
        assert json.loads(answer.read())["status"] == expected
        connection.close()


def login_is_small():
    """a sign-in's body has the size of a key; longer ones are refused before they are read"""
    with socket.create_connection(("127.0.0.1", node.port), timeout=20) as client:
        client.sendall(f"POST /v1/auth/login HTTP/1.1\r\nHost: 127.0.0.1:{node.port}\r\n"
                       "Content-Type: application/json\r\nContent-Length: 4097\r\n\r\n".encode())
        assert client.recv(64).startswith(b"HTTP/1.1 413 "), "a large sign-in was waited for"


def wide_objects():
    """an object with very many members is refused, wherever JSON comes in"""
    wide = {str(n): 0 for n in range(5000)}
    session = new_session()
    for path, body in ((f"/v1/sessions/{session}/events", {"name": "n", "data": wide}),
                       ("/v1/chat/completions", {"model": "default", "metadata": wide,
                                                 "messages": [{"role": "user", "content": "a"}]}),
                       ("/v1/tool/request", {"tool_id": "calculator", "inputs": wide})):
        status, _, text = node.request("POST", path, body)
        assert 400 <= status < 500, (path, status, text)
    good = {"name": "n", "data": {str(n): 0 for n in range(4000)}}
    assert node.request("POST", f"/v1/sessions/{session}/events", good)[0] == 202


def large_bodies_have_a_budget():
    """bodies that are only announced and begun take no more memory than there is for bodies"""
    session = new_session()
    head = (f"POST /v1/sessions/{session}/events HTTP/1.1\r\nHost: 127.0.0.1:{node.port}\r\n"
            f"Authorization: Bearer {ADMIN_KEY}\r\nContent-Type: application/json\r\n"
            "Content-Length: 2000000\r\n\r\n{").encode()
    clients, busy = [], 0
    try:
        for _ in range(8):  # of a budget of 8 MB one tenant has half: two such bodies
            client = socket.create_connection(("127.0.0.1", node.port), timeout=20)
            clients.append(client)
            client.sendall(head)
        for client in clients:
            client.settimeout(1)
            try:
                busy += client.recv(64).startswith(b"HTTP/1.1 503 ")
            except socket.timeout:
                pass
        assert busy == 6, busy
        assert node.request("GET", f"/v1/sessions/{session}")[0] == 200
        small = node.request("POST", f"/v1/sessions/{session}/events", {"name": "n", "data": 1})
        assert small[0] == 202, small
    finally:
        for client in clients:
            client.close()
    wait_until(lambda: node.request("POST", f"/v1/sessions/{session}/events",
                                    {"name": "n", "data": "x" * 100_000})[0] == 202,
               what="the budget")


def filled_session(key):
    """one whose page of events has some 3 MB"""
    session = new_session(key)
    for n in range(60):
        event = {"name": "n", "data": "x" * 50_000}
        assert node.request("POST", f"/v1/sessions/{session}/events", event, key=key)[0] == 202
    return f"/v1/sessions/{session}/events?limit=500"


def bodies_of_streamed_answers():
    """a large body counts for as long as a model answers it in pieces: that call holds it"""
    def begin():
        connection = node.connect()
        connection.request("POST", "/v1/chat/completions", body=json.dumps({
            "model": "default", "stream": True, "messages": [
                {"role": "system", "content": "x" * (3 << 20)},
                {"role": "user", "content": "[[rehearsal words=100000 delay_ms=20]] x"}]}),
            headers={"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"})
        return connection, connection.getresponse()

    first, answer = begin()
    assert answer.status == 200 and answer.read(6) == b"data: "
    second, refused = begin()
    assert refused.status == 503, refused.status
    second.close()
    answer.close()
    first.close()

    def taken():
        connection, answer = begin()
        connection.close()
        return answer.status == 200
    wait_until(taken, what="the memory of an answer that nobody reads any more")


def unread_pages():
    """a tenant that asks for pages and reads none keeps only itself waiting, and no longer than that"""
    mine, theirs = filled_session(ADMIN_KEY), filled_session(elsewhere)
    clients = []
    try:
        for _ in range(40):
            client = socket.socket()
            clients.append(client)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", node.port))
            client.sendall(f"GET {mine} HTTP/1.1\r\nHost: 127.0.0.1:{node.port}\r\n"
                           f"Authorization: Bearer {ADMIN_KEY}\r\n\r\n".encode())
        wait_until(lambda: node.request("GET", mine)[0] == 503, what="a tenant's bound")
        for _ in range(5):
            status, _, text = node.request("GET", theirs, key=elsewhere)
            assert status == 200, (status, text[:200])
    finally:
        for client in clients:
            client.close()
    wait_until(lambda: node.request("GET", mine)[0] == 200, what="room for a page")


def no_descriptors():
    """a server that is out of descriptors says so to new clients, and goes on for the others"""
    session = new_session()
    known = node.connect()
    headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"}

    def works():
        known.request("POST", f"/v1/sessions/{session}/events",
                      json.dumps({"name": "n", "data": 1}), headers)
        answer = known.getresponse()
        answer.read()
        return answer.status == 202
    assert works()
    pid = node.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    held = []
    try:
        taken = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (taken + 20, before[1]))
        told = False
        for _ in range(60):
            client = socket.create_connection(("127.0.0.1", node.port), timeout=20)
            held.append(client)
        for client in reversed(held):
            client.settimeout(1)
            try:
                told = told or client.recv(64).startswith(b"HTTP/1.1 503 ")
            except (socket.timeout, ConnectionResetError):
                pass
            if told:
                break
        assert told, "nobody was told"
        assert works() and node.process.poll() is None
    finally:
        for client in held:
            client.close()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        known.close()
    wait_until(lambda: node.request("GET", "/readyz")[0] == 200, what="the server")


def streams_end_with_their_identity():
    """a stream is cut when its key is removed, its browser signs out, its ticket or key expires; the
    next try is refused"""
    made = new_key()
    key = made["key"]
    session = new_session(key)
    path = f"/v1/session/{session}/events"
    ticket = json.loads(node.request("POST", f"/v1/sessions/{session}/ticket", key=key)[2])["url"]
    status, fields, _ = node.request("POST", "/v1/auth/login", {"key": key}, key=None)
    assert status == 200
    cookie = {"Cookie": fields["Set-Cookie"].split(";")[0]}
    other = Stream(node, path)  # the admin's, of the same tenant: goes on
    streams = [Stream(node, path, key=key), Stream(node, "/v1/session/@me/events", key=key),
               Stream(node, ticket, key=None), Stream(node, path, headers=cookie, key=None)]
    for stream in (*streams, other):
        assert stream.status == 200, stream.body
        stream.next()
    assert node.request("POST", "/v1/auth/logout", headers=cookie, key=None)[0] == 204
    until_cut(streams[3])
    assert Stream(node, path, headers=cookie, key=None).status == 401
    assert node.request("DELETE", f"/v1/keys/{made['key_id']}")[0] == 204
    for stream in streams[:3]:
        until_cut(stream)
    assert Stream(node, path, key=key).status == 401
    assert Stream(node, ticket, key=None).status == 401
    node.json("POST", f"/v1/sessions/{session}/events", {"name": "after", "data": 1}, expect=202)
    other.until(lambda event, data: event == "app.event" and data["payload"]["name"] == "after")
    for stream in (*streams, other):
        stream.close()


SAYS_FOR_LONG = "[[rehearsal words=5000 delay_ms=20]]"


def model_streams_end_with_their_identity():
    """a model's stream, and an answer that is waited for, end when their key is removed; the caller is
    told why, and the provider is left"""
    made = new_key()
    key = {"Authorization": f"Bearer {made['key']}", "Content-Type": "application/json"}
    messages = {"model": "default", "messages": [{"role": "user", "content": SAYS_FOR_LONG}]}
    invoke = {"messages": [{"role": "user", "content": SAYS_FOR_LONG}]}
    asked = {}
    for name, path, body in (
            ("chat", "/v1/chat/completions", {**messages, "stream": True}),
            ("responses", "/v1/responses", {"model": "default", "input": SAYS_FOR_LONG, "stream": True}),
            ("completions", "/v1/completions",
             {"model": "default", "prompt": SAYS_FOR_LONG, "stream": True}),
            ("invoke", "/v1/llm/invoke/stream", invoke),
            ("whole", "/v1/llm/invoke", invoke)):
        asked[name] = node.connect()
        asked[name].request("POST", path, json.dumps(body), key)
    answers = {name: c.getresponse() for name, c in asked.items() if name != "whole"}
    for name, answer in answers.items():
        assert answer.status == 200, (name, answer.read())
        assert answer.readline(), name
    assert node.request("DELETE", f"/v1/keys/{made['key_id']}")[0] == 204
    for name, answer in answers.items():
        rest = answer.read().decode()  # to its end
        said = "invalid_api_key" if name != "invoke" else "auth.invalid"
        assert said in rest.split("\n\n")[-2], (name, rest[-300:])
    whole = asked["whole"].getresponse()
    assert whole.status == 401, whole.read()
    for connection in asked.values():
        connection.close()


def tickets_end_with_their_browser():
    """a ticket that a browser asked for is worth nothing once it has signed out"""
    status, fields, _ = node.request("POST", "/v1/auth/login", {"key": ADMIN_KEY}, key=None)
    assert status == 200
    cookie = {"Cookie": fields["Set-Cookie"].split(";")[0]}
    session = new_session()
    text = node.request("POST", f"/v1/sessions/{session}/ticket", headers=cookie, key=None)[2]
    ticket = json.loads(text)["url"]
    with Stream(node, ticket, key=None) as stream:
        assert stream.status == 200
        stream.next()
        assert node.request("POST", "/v1/auth/logout", headers=cookie, key=None)[0] == 204
        until_cut(stream)
    assert Stream(node, ticket, key=None).status == 401


def expiry_ends_streams():
    """a stream opened with a ticket ends with it"""
    session = new_session()
    ticket = node.json("POST", f"/v1/sessions/{session}/ticket", expect=201)
    with Stream(node, ticket["url"], key=None) as stream:  # sse.ticket_ttl_s is 10
        assert stream.status == 200
        until_cut(stream)
    assert Stream(node, ticket["url"], key=None).status == 401


def streams_of_a_tenant():
    """a tenant has its number of streams; another tenant still gets its own"""
    session = new_session()
    mine = [Stream(node, f"/v1/session/{session}/events") for _ in range(9)]
    assert [s.status for s in mine] == [200] * 8 + [429], [s.status for s in mine]
    with Stream(node, "/v1/session/@me/events", key=elsewhere) as theirs:
        assert theirs.status == 200
    for stream in mine:
        stream.close()

    def another():
        with Stream(node, f"/v1/session/{session}/events") as stream:
            return stream.status == 200
    wait_until(another, what="a place for a stream")


def good_keys_get_in():
    """whoever fails often waits; a good key never used before gets in from the same address"""
    fresh = new_key()["key"]
    for n in range(25):
        last = node.request("GET", "/v1/sessions", key=f"soma_aaaaaaaa_{n}", source="127.0.5.1")[0]
    assert last == 429, last
    assert node.request("GET", "/v1/sessions", key=fresh, source="127.0.5.1")[0] == 200
    assert node.request("POST", "/v1/auth/login", {"key": fresh}, key=None,
                        source="127.0.5.1")[0] == 200
    # Behind the proxy that this server trusts, the address that it names is the one that counts.
    for n in range(25):
        last = node.request("GET", "/v1/sessions", key="bad", source="127.0.6.1",
                            headers={"X-Forwarded-For": "192.0.2.66"})[0]
    assert last == 429, last
    assert node.request("GET", "/v1/sessions", key="bad", source="127.0.6.1",
                        headers={"X-Forwarded-For": "192.0.2.67"})[0] == 401


def etags():
    """If-None-Match is a list, `*`, or weak, wherever there is an ETag"""
    for path in ("/v1/openapi.json", "/v1/runtime-config", "/v1/tools", "/v1/tool-catalog"):
        tag = node.request("GET", path)[1]["ETag"]
        for value in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            status, fields, text = node.request("GET", path, headers={"If-None-Match": value})
            assert (status, text, fields["ETag"]) == (304, "", tag), (path, value, status)
        assert node.request("GET", path, headers={"If-None-Match": '"other"'})[0] == 200


def running_calls_have_a_budget():
    """what was asked of a model counts among the bodies for as long as its answer is streamed"""
    body = json.dumps({"model": "default", "stream": True, "messages": [
        {"role": "user", "content": "x" * (1 << 20)},
        {"role": "user", "content": "[[rehearsal words=2000 delay_ms=50]]"}]})
    headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"}
    def begin():
        connection = node.connect()
        connection.request("POST", "/v1/chat/completions", body, headers)
        return connection, connection.getresponse()
    begun = [begin() for _ in range(5)]
    statuses = [answer.status for _, answer in begun]
    assert statuses.count(200) == 3 and statuses.count(503) == 2, statuses
    assert json.loads(begun[-1][1].read())["error"]["code"] == "server.busy"
    for connection, answer in begun:
        answer.close()
        connection.close()
    def there_is_room():
        connection, answer = begin()
        answer.close()
        connection.close()
        return answer.status == 200
    wait_until(there_is_room, what="the bodies of calls that are over to count no more")


def searches_are_a_tenants_own():
    """a tenant that searches without end keeps only itself waiting; another's history is not refused"""
    connection = node.connect()
    for _ in range(1500):
        connection.request("POST", "/v1/sessions", json.dumps({"title": "t" * 190}),
                           {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"})
        assert connection.getresponse().read()
    connection.close()
    status, _, text = node.request("POST", "/v1/sessions", {}, key=elsewhere)
    history = f"/v1/sessions/{json.loads(text)['session_id']}/history"
    request = (f"GET /v1/sessions?q=zzz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
               f"Authorization: Bearer {ADMIN_KEY}\r\n\r\n").encode() * 20
    searching = [socket.create_connection(("127.0.0.1", node.port), timeout=20) for _ in range(300)]
    for one in searching:
        one.sendall(request)
    statuses = [node.request("GET", history, key=elsewhere)[0] for _ in range(20)]
    refused = False
    for one in searching:
        refused = refused or b"503" in one.recv(65536)
        one.close()
    assert refused, "as much was asked for as may wait"
    assert statuses == [200] * 20, statuses


def rations():
    """past a user's ration any route is 429 with what is left and when, for others and later it is not"""
    rationed = Node(rehearsal.base_url, ["http.caller_per_s=2"])
    other = rationed.new_key("--role", "user", "--user", "other")
    rationed.start()
    try:
        answers = [rationed.request("GET", "/v1/sessions" if i % 2 else "/v1/auth/whoami")
                   for i in range(40)]
        statuses = [status for status, *_ in answers]
        assert statuses[:20] == [200] * 20 and 429 in statuses, statuses
        assert set(statuses) == {200, 429}, statuses
        for status, headers, text in answers:
            assert headers["RateLimit-Policy"] == '"caller";q=20;w=10', headers
            assert headers["RateLimit"].startswith('"caller";r='), headers
            if status == 429:
                assert json.loads(text)["code"] == "quota.exceeded", text
                assert headers["RateLimit"] == '"caller";r=0;t=1', headers
                assert headers["Retry-After"] == "1", headers
        assert rationed.request("GET", "/v1/auth/whoami", key=other)[0] == 200
        assert rationed.request("GET", "/healthz", key=None)[0] == 200
        wait_until(lambda: rationed.request("GET", "/v1/auth/whoami")[0] == 200, what="the next")
    finally:
        rationed.stop()
    assert "RateLimit" not in node.request("GET", "/v1/auth/whoami")[1]


def main():
    global rehearsal, node, elsewhere
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url, ["http.bodies_bytes_max=8388608",
                                     "llm.request_bytes_max=4194304", "sse.streams_per_tenant_max=8",
                                     "sse.ticket_ttl_s=10", "sse.heartbeat_s=2",
                                     "server.trusted_proxies=127.0.6.0/24"])
    elsewhere = node.new_key("--tenant", "elsewhere")
    node.start()
    try:
        return run_tests([refused_bodies, login_is_small, wide_objects, large_bodies_have_a_budget,
                          bodies_of_streamed_answers, unread_pages,
                          no_descriptors, streams_end_with_their_identity,
                          model_streams_end_with_their_identity, tickets_end_with_their_browser,
                          expiry_ends_streams,
                          streams_of_a_tenant, running_calls_have_a_budget, searches_are_a_tenants_own, good_keys_get_in, etags, rations])
    finally:
        node.stop()
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(main())
