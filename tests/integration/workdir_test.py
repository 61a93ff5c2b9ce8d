"""Work folders over HTTP: what people and tools leave for each other, within quotas, out of reach of
everyone else, and gone with the session."""

import io
import json
import os
import select
import socket
import sys
import threading
import urllib.parse
import uuid
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from forms import FORM, call, form, upload
from node_under_test import Node, Rehearsal, run_tests, wait_until

rehearsal = Rehearsal()
node = Node(rehearsal.base_url, settings=["workdir.bytes_max=1000000", "workdir.entries_max=100",
                                          "workdir.file_bytes_max=500000"])
other_key = node.new_key("--tenant", "other", "--role", "admin")
colleague_key = node.new_key("--tenant", "other", "--user", "colleague", "--role", "admin")
node.start()


def ask(method, what, body=None, headers=None, **query):
    text = urllib.parse.urlencode({k: v for k, v in query.items() if v is not None})
    return call(node, method, f"/v1/workdir/{what}?{text}", body, headers)


def post(what, **body):
    return call(node, "POST", f"/v1/workdir/{what}", json.dumps(body),
                {"Content-Type": "application/json"})


def code(answer):
    return answer[0], json.loads(answer[2])["code"]


def good(answer, status=200):
    assert answer[0] == status, answer
    return json.loads(answer[2]) if answer[2] else None


def session():
    return node.json("POST", "/v1/sessions", {}, expect=201)["session_id"]


def folder(of):
    return os.path.join(node.data_dir, "work", "default", of)


def names(of, path=""):
    return [e["name"] for e in good(ask("GET", "list", session_id=of, path=path))["entries"]]


def comes_and_goes():
    """work folder: files are written, read, listed, moved, downloaded and deleted"""
    mine = session()
    assert good(ask("PUT", "write", b"hello caf\xc3\xa9", session_id=mine, path="d/a.txt")) == {
        "path": "d/a.txt", "size_bytes": 11}
    read = good(ask("GET", "read", session_id=mine, path="d/a.txt"))
    assert (read["text"], read["more"], read["utf8"]) == ("hello caf\u00e9", False, True), read
    read = good(ask("GET", "read", session_id=mine, path="d/a.txt", offset=6, bytes=4))
    assert (read["text"], read["bytes"], read["more"]) == ("caf", 3, True), read
    made = upload(node, ("x/y.bin", b"\0\xff" * 100), ("z.txt", b"z"),
                  path=f"/v1/workdir/upload?session_id={mine}&path=d")
    assert made == [{"path": "d/y.bin", "size_bytes": 200}, {"path": "d/z.txt", "size_bytes": 1}]
    listed = good(ask("GET", "list", session_id=mine, path="d"))
    assert [e["name"] for e in listed["entries"]] == ["a.txt", "y.bin", "z.txt"]
    assert listed["complete"] and listed["used_bytes"] == 212 and listed["bytes_max"] == 1_000_000
    assert post("mkdir", session_id=mine, path="e/f")[0] == 204
    assert post("move", session_id=mine, **{"from": "d/a.txt", "to": "e/f/b.txt"})[0] == 204
    status, headers, body = ask("GET", "download", session_id=mine, path="e/f/b.txt")
    assert (status, body) == (200, b"hello caf\xc3\xa9")
    assert headers["content-disposition"] == 'attachment; filename="b.txt"'
    assert headers["x-content-type-options"] == "nosniff"
    assert ask("GET", "download", session_id=mine, path="e/f/b.txt",
               headers={"If-None-Match": headers["etag"]})[0] == 304
    assert ask("GET", "download", session_id=mine, path="e/f/b.txt",
               headers={"Range": "bytes=0-3"})[::2] == (206, b"hell")
    status, headers, body = ask("GET", "download", session_id=mine)
    assert (status, headers["content-type"]) == (200, "application/zip"), headers
    archive = zipfile.ZipFile(io.BytesIO(body))
    assert archive.testzip() is None
    assert sorted(archive.namelist()) == ["d/", "d/y.bin", "d/z.txt", "e/", "e/f/", "e/f/b.txt"]
    assert archive.read("d/y.bin") == b"\0\xff" * 100
    assert ask("DELETE", "delete", session_id=mine, path="d")[0] == 204
    assert names(mine) == ["e"]


def keeps_apart():
    """work folder: sessions, the tenant's own folder and other tenants do not see each other"""
    mine, another = session(), session()
    for of, text in ((mine, b"mine"), (another, b"another"), (None, b"shared")):
        good(ask("PUT", "write", text, session_id=of, path="f"))
    for of, text in ((mine, "mine"), (another, "another"), (None, "shared")):
        assert good(ask("GET", "read", session_id=of, path="f"))["text"] == text
    status, _, text = node.request("GET", f"/v1/workdir/read?session_id={mine}&path=f", key=other_key)
    assert (status, json.loads(text)["code"]) == (404, "session.not_found")
    status, _, text = node.request("GET", "/v1/workdir/read?path=f", key=other_key)
    assert (status, json.loads(text)["code"]) == (404, "workdir.not_found")
    for of in (str(uuid.uuid4()), "no-id", "../default"):
        assert code(ask("GET", "list", session_id=of)) == (404, "session.not_found")


def lets_nothing_out():
    """work folder: no path leaves it, through dots, links, bytes that are no text, or long names"""
    mine = session()
    good(ask("PUT", "write", b"x", session_id=mine, path="f"))
    secret = os.path.join(node.data_dir, "secret.txt")
    with open(secret, "w") as file:
        file.write("secret")
    os.symlink(secret, os.path.join(folder(mine), "link"))
    os.symlink(node.data_dir, os.path.join(folder(mine), "dir"))
    for path in ("../f", "..", ".", "a/../../f", "/etc/passwd", secret, "a//b", "a\nb", "n" * 256,
                 "n/" * 40 + "n"):
        for answer in (ask("GET", "read", session_id=mine, path=path),
                       ask("GET", "download", session_id=mine, path=path),
                       ask("GET", "list", session_id=mine, path=path),
                       ask("PUT", "write", b"x", session_id=mine, path=path),
                       ask("POST", "upload", form(("f", b"x")), FORM, session_id=mine, path=path),
                       ask("DELETE", "delete", session_id=mine, path=path),
                       post("mkdir", session_id=mine, path=path),
                       post("move", session_id=mine, **{"from": path, "to": "g"}),
                       post("move", session_id=mine, **{"from": "f", "to": path})):
            assert code(answer) == (422, "workdir.path_invalid"), (path, answer)
    for raw in ("%ff", "%c0%ae%c0%ae/f", "a%00b"):
        status, _, text = node.request("GET", f"/v1/workdir/read?session_id={mine}&path={raw}")
        assert status in (400, 422), (raw, text)
    assert code(ask("GET", "read", session_id=mine, path="link")) == (422, "workdir.path_invalid")
    for path in ("dir/secret.txt", "dir"):
        for what in ("read", "download", "list"):
            status, _, text = ask("GET", what, session_id=mine, path=path)
            assert status in (409, 422), (what, path, text)
    archive = zipfile.ZipFile(io.BytesIO(ask("GET", "download", session_id=mine)[2]))
    assert archive.namelist() == ["f"]
    before = open(secret, "rb").read()
    good(ask("PUT", "write", b"mine now", session_id=mine, path="link"))
    assert open(secret, "rb").read() == before
    assert ask("DELETE", "delete", session_id=mine, path="dir")[0] == 204
    assert os.path.exists(secret)


def has_quotas():
    """work folder: its size, its entries and each file have a limit, and a refused file leaves nothing"""
    mine = session()
    def write(size, path):
        return ask("PUT", "write", b"x" * size, session_id=mine, path=path)
    assert code(write(500_001, "f")) == (413, "workdir.full")
    good(write(500_000, "f"))
    good(write(490_000, "g"))
    assert code(write(20_000, "h")) == (413, "workdir.full")
    assert code(ask("POST", "upload", form(("h", b"x" * 20_000)), FORM, session_id=mine)) == (
        413, "workdir.full")
    good(write(500_000, "f"))  # in place of itself
    good(write(100, "f"))
    good(write(20_000, "h"))
    for n in range(97):
        good(write(0, f"n{n}"))
    assert code(write(0, "more")) == (413, "workdir.full")
    assert code(post("mkdir", session_id=mine, path="more")) == (413, "workdir.full")
    assert os.listdir(os.path.join(node.data_dir, "work", ".incoming")) == []


def slow_senders():
    """uploads: one tenant's slow senders take no other tenant's places, nor all of their own"""
    slow = []
    for n in range(40):
        one = socket.create_connection(("127.0.0.1", node.port))
        one.sendall((f"PUT /v1/workdir/write?path=slow{n} HTTP/1.1\r\nHost: 127.0.0.1:{node.port}\r\n"
                     f"Authorization: Bearer {other_key}\r\nContent-Length: 1000\r\n\r\nx").encode())
        slow.append(one)
    try:
        # One person has 24 of 32 places: the others are refused.
        wait_until(lambda: len(select.select(slow, [], [], 0.1)[0]) == 16)
        for one in select.select(slow, [], [], 0)[0]:
            assert b" 503 " in one.recv(4096).split(b"\r\n")[0]
        good(ask("PUT", "write", b"mine", path="fast"))
        good(ask("POST", "upload", form(("fast2", b"mine")), FORM), 201)
        assert call(node, "PUT", "/v1/workdir/write?path=own", b"x", key=other_key)[0] == 503
        assert call(node, "PUT", "/v1/workdir/write?path=own", b"x", key=colleague_key)[0] == 200
    finally:
        for one in slow:
            one.close()
    wait_until(lambda: call(node, "PUT", "/v1/workdir/write?path=own", b"x", key=other_key)[0] == 200)


def answers_conflicts():
    """work folder: what stands in the way is told by its code"""
    mine = session()
    good(ask("PUT", "write", b"x", session_id=mine, path="d/f"))
    assert code(ask("GET", "read", session_id=mine, path="d")) == (409, "workdir.wrong_kind")
    assert code(ask("GET", "list", session_id=mine, path="d/f")) == (409, "workdir.wrong_kind")
    assert code(ask("PUT", "write", b"x", session_id=mine, path="d")) == (409, "workdir.wrong_kind")
    assert code(ask("PUT", "write", b"x", session_id=mine, path="d/f/g")) == (409, "workdir.wrong_kind")
    good(ask("PUT", "write", b"y", session_id=mine, path="e"))
    assert code(post("move", session_id=mine, **{"from": "e", "to": "d/f"})) == (409, "workdir.exists")
    for what in ("read", "download"):
        assert code(ask("GET", what, session_id=mine, path="none")) == (404, "workdir.not_found")
    assert code(ask("DELETE", "delete", session_id=mine, path="none")) == (404, "workdir.not_found")
    assert code(post("move", session_id=mine, **{"from": "none", "to": "x"})) == (
        404, "workdir.not_found")


def goes_with_its_session():
    """work folder: it goes with its session, also when the server is killed right after the deletion"""
    for kill in (False, True):
        mine = session()
        made = upload(node, ("a.txt", b"hello"))[0]
        node.json("POST", "/v1/session/message", {
            "session_id": mine, "message": "[[rehearsal words=1 delay_ms=0]]",
            "attachments": [{"id": made["id"]}]}, expect=202)
        good(ask("PUT", "write", b"x", session_id=mine, path="d/f"))
        os.makedirs(os.path.join(folder(mine), "deep", *["d"] * 100))
        assert node.request("DELETE", f"/v1/sessions/{mine}")[0] == 204
        if kill:
            node.kill()
            node.start()
        wait_until(lambda: not os.path.exists(folder(mine)), what="the folder to go")
        assert code(ask("GET", "list", session_id=mine)) == (404, "session.not_found")
        assert call(node, "GET", made["url"])[0] == 200  # young enough to be named again


def writes_whole():
    """work folder: a file that is replaced all the time is always whole, also over a kill"""
    mine = session()
    sizes = (100, 200_000)
    good(ask("PUT", "write", b"a" * sizes[0], session_id=mine, path="f"))
    ending = threading.Event()

    def keep_writing():
        n = 0
        while not ending.is_set():
            n += 1
            try:
                ask("PUT", "write", b"ab"[n % 2:n % 2 + 1] * sizes[n % 2], session_id=mine, path="f")
            except OSError:
                pass
    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        for _ in range(100):
            body = ask("GET", "download", session_id=mine, path="f")[2]
            assert len(body) in sizes and len(set(body)) == 1, len(body)
        node.kill()
    finally:
        ending.set()
        writer.join()
    node.start()
    body = ask("GET", "download", session_id=mine, path="f")[2]
    assert len(body) in sizes and len(set(body)) == 1
    assert os.listdir(os.path.join(node.data_dir, "work", ".incoming")) == []


def shared_with_tools():
    """work folder: what a tool writes a person reads, and the other way round; a path that leaves it
    fails the call by its code"""
    mine = session()

    def run(tool, **inputs):
        made = node.json("POST", "/v1/tool/request", {
            "session_id": mine, "tool_id": tool, "inputs": inputs}, expect=202)
        call_id = made["tool_call_id"]

        def results():
            return [e["payload"] for e in node.events(mine) if e["type"] == "tool.result"
                    and e["payload"]["tool_call_id"] == call_id]
        wait_until(results, what="the tool's result")
        return results()[0]
    done = run("file_write", path="notes/a.txt", text="from a tool")
    assert done["status"] == "success" and done["output"] == {
        "path": "notes/a.txt", "size_bytes": 11}, done
    assert good(ask("GET", "read", session_id=mine, path="notes/a.txt"))["text"] == "from a tool"
    good(ask("PUT", "write", b"from a person", session_id=mine, path="notes/b.txt"))
    assert run("file_read", path="notes/b.txt")["output"]["text"] == "from a person"
    assert [e["name"] for e in run("file_list", path="notes")["output"]["entries"]] == [
        "a.txt", "b.txt"]
    failed = run("file_read", path="../../default/" + mine + "/notes/a.txt")
    assert (failed["status"], failed["error"]["code"]) == ("error", "workdir.path_invalid"), failed


def main():
    try:
        return run_tests([comes_and_goes, keeps_apart, lets_nothing_out, has_quotas,
                          slow_senders, answers_conflicts, goes_with_its_session, shared_with_tools, writes_whole])
    finally:
        node.stop()
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(main())
