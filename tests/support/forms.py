"""multipart/form-data as a client writes it, whole or as a stream that is never whole in memory."""

import http.client
import json

from node_under_test import ADMIN_KEY

BOUNDARY = "boundary-of-a-test"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(filename, content, content_type="application/octet-stream", name="file"):
    given = f'; filename="{filename}"' if filename is not None else ""
    return (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{given}\r\n'
            f"Content-Type: {content_type}\r\n\r\n").encode() + content + b"\r\n"


def form(*files):
    return b"".join(part(*one) for one in files) + f"--{BOUNDARY}--\r\n".encode()


def call(node, method, path, body=None, headers=None, key=ADMIN_KEY):
    """(status, headers with names in lower case, bytes)"""
    connection = node.connect(timeout=120)
    try:
        fields = {"Authorization": f"Bearer {key}"} if key else {}
        fields.update(headers or {})
        try:
            connection.request(method, path, body=body, headers=fields)
        except (BrokenPipeError, ConnectionResetError):
            pass  # answered before all of it was sent
        answer = connection.getresponse()
        return (answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def upload(node, *files, key=ADMIN_KEY, path="/v1/uploads"):
    status, _, text = call(node, "POST", path, form(*files), FORM, key)
    if status != 201:
        raise AssertionError(f"{status} {text[:300]}")
    return json.loads(text)


def begin_upload(node, size_bytes, filename="large.bin"):
    """A connection that has sent the head and the beginning of a file of so many bytes; give the
    rest to its `send`, then what `end_upload` says."""
    head = part(filename, b"")[:-2]
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=120)
    connection.putrequest("POST", "/v1/uploads")
    for name, value in {**FORM, "Authorization": f"Bearer {ADMIN_KEY}",
                        "Content-Length": str(len(head) + size_bytes + len(tail))}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(head)
    return connection


def end_upload(connection):
    connection.send(f"\r\n--{BOUNDARY}--\r\n".encode())
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())
