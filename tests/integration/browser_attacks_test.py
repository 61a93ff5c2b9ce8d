"""What a page elsewhere may try with somebody's browser, at every operation of the table: reach the server
by a name of its own (DNS rebinding), ride on the cookie from a foreign origin, put an answer into a frame,
have somebody sign in under a session that it knows."""

import json
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import ADMIN_KEY, Node, Rehearsal, run_tests
from operations_table_test import TABLE, WITH_TOKEN, request_of

rehearsal = node = None


def asked(one, headers, key=ADMIN_KEY):
    """(status, headers in lower case, text), of an answer or of a stream's beginning"""
    method, path, body = request_of(one)
    if one["method"] == "GET" and one["answer"] == "stream":
        connection = node.connect()
        connection.request(method, path, headers={**headers, **({"Authorization": f"Bearer {key}"} if key else {})})
        answer = connection.getresponse()
        fields, text = dict(answer.getheaders()), "" if answer.status == 200 else answer.read().decode()
        status = answer.status
        connection.close()
    else:
        status, fields, text = node.request(method, path, body, headers, key)
    return status, {name.lower(): value for name, value in fields.items()}, text


def code_of(text):
    told = json.loads(text)
    return told.get("error", told)["code"]  # in OpenAI's shape


def rebinding():
    """every operation: a Host that is not this server's is refused, whatever key comes along"""
    for host in ("evil.example", f"evil.example:{node.port}", f"127.0.0.1.evil.example:{node.port}"):
        for one in TABLE:
            status, _, text = asked(one, {"Host": host})
            assert status == 421 and code_of(text) == "host.refused", (one["operation"], host, status, text)
    # The page, too: its script would be of the foreign name's origin.
    status, _, text = node.request("GET", "/ui/index.html", headers={"Host": "evil.example"}, key=None)
    assert status == 421, (status, text)


def riding():
    """every operation: with a cookie from a foreign origin nothing is done, nor read by a script there"""
    cookie = sign_in(ADMIN_KEY)
    for one in TABLE:
        for origin in ("http://evil.example", "null", f"http://127.0.0.1:{node.port + 1}"):
            status, fields, text = asked(one, {"Cookie": cookie, "Origin": origin}, key=None)
            about = one["operation"], origin, status, text
            assert "access-control-allow-origin" not in fields, about
            if one["method"] != "GET" and one["access"] != "internal":
                assert status == 403 and code_of(text) == "origin.refused", about
    assert node.request("GET", "/v1/auth/whoami", headers={"Cookie": cookie}, key=None)[0] == 200
    # As a browser of today says it where a form is sent: without Origin, but from another site.
    for one in TABLE:
        if one["method"] == "POST" and one["access"] in ("user", "admin"):
            status, _, text = asked(one, {"Cookie": cookie, "Sec-Fetch-Site": "cross-site"}, key=None)
            assert status == 403, (one["operation"], status, text)


def framing():
    """every operation, whether it is done or refused, and the page: no site may put it into a frame"""
    for one in TABLE:
        for key in (ADMIN_KEY, None):
            status, fields, _ = asked(one, {}, key)
            about = one["operation"], status, fields
            assert fields.get("x-frame-options") == "DENY", about
            assert "frame-ancestors 'none'" in fields.get("content-security-policy", ""), about
    for path in ("/ui/index.html", "/ui/none.js", "/nowhere"):
        status, fields, _ = node.request("GET", path, key=None)
        fields = {name.lower(): value for name, value in fields.items()}
        assert fields.get("x-frame-options") == "DENY", (path, status, fields)
        assert "frame-ancestors 'none'" in fields["content-security-policy"], (path, fields)


def sign_in(key, cookie=None):
    status, fields, text = node.request("POST", "/v1/auth/login", {"key": key},
                                        {"Cookie": cookie} if cookie else {}, key=None)
    assert status == 200, text
    return fields["Set-Cookie"].split(";")[0]


def fixation():
    """a session that was there before somebody signed in is never the one that he is signed in by"""
    def who(cookie):
        status, _, text = node.request("GET", "/v1/auth/whoami", headers={"Cookie": cookie}, key=None)
        return json.loads(text)["user_id"] if status == 200 else status
    eves_key = node.json("POST", "/v1/keys", {"name": "eve", "user_id": "eve"}, expect=201)["key"]
    eves = sign_in(eves_key)
    name = eves.split("=")[0]
    hers = sign_in(ADMIN_KEY, eves)  # the victim, in whose browser eve's cookie was put
    assert hers != eves and (who(hers), who(eves)) == ("admin", "eve"), (who(hers), who(eves))
    for planted in ("x" * 43, uuid.uuid4().hex, ""):
        made = sign_in(ADMIN_KEY, f"{name}={planted}")
        assert made.split("=", 1)[1] != planted and who(f"{name}={planted}") == 401, planted
    # And one that was signed out does not come back with the next sign-in.
    assert node.request("POST", "/v1/auth/logout", headers={"Cookie": hers}, key=None)[0] == 204
    again = sign_in(ADMIN_KEY, hers)
    assert again != hers and who(hers) == 401 and who(again) == "admin"


if __name__ == "__main__":
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url, settings=[], env=WITH_TOKEN).start()
    try:
        failed = run_tests([rebinding, riding, framing, fixation])
    finally:
        node.stop()
        rehearsal.stop()
    sys.exit(failed)
