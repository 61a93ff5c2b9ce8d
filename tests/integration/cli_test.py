"""The program's subcommands as a person meets them: flags win over the environment, what is wrong is a
sentence and a status, and a sign-in link is to be had from the running server."""

import http.server
import os
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import ADMIN_KEY, BIN, Node, Rehearsal, free_port, run_tests

node = None


def soma(*arguments, env=None, unset=(), timeout=60):
    variables = {name: value for name, value in os.environ.items()
                 if not name.startswith(("SOMA_", "GATEWAY_"))}
    return subprocess.run([os.path.join(BIN, "soma"), *arguments], text=True, capture_output=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, env={**variables, **(env or {})})


def manners():
    """alone it prints its help; --version; what it does not know is status 2"""
    alone = soma()
    assert alone.returncode == 0 and "chat" in alone.stdout and "signin" in alone.stdout, alone
    group = soma("tools")
    assert group.returncode == 2 and "ls" in group.stdout, group
    version, flag = soma("version"), soma("--version")
    assert version.stdout == flag.stdout and version.returncode == flag.returncode == 0, (version, flag)
    assert soma("--help").returncode == 0
    for wrong in (["bogus"], ["serve", "--bogus"], ["tools", "run"], ["key", "new"]):
        done = soma(*wrong)
        assert done.returncode == 2 and done.stderr, (wrong, done)


def flags_win():
    """--url and --key win over the environment, in every command that has them"""
    url, wrong = f"http://127.0.0.1:{node.port}", f"http://127.0.0.1:{free_port()}"
    for command in (["tools", "ls"], ["tools", "run", "echo", '{"text":"x"}']):
        for env, flags in (({"GATEWAY_BASE_URL": wrong, "SOMA_ADMIN_KEY": "sk_wrong"},
                            ["--url", url, "--key", ADMIN_KEY]),
                           ({"GATEWAY_BASE_URL": url, "SOMA_ADMIN_KEY": ADMIN_KEY}, []),
                           ({"GATEWAY_PORT": str(node.port), "SOMA_ADMIN_KEY": ADMIN_KEY}, [])):
            done = soma(*command, *flags, env=env)
            assert done.returncode == 0 and done.stdout, (command, env, done)
        done = soma(*command, "--url", wrong, env={"GATEWAY_BASE_URL": url, "SOMA_ADMIN_KEY": ADMIN_KEY})
        assert done.returncode == 1 and wrong in done.stderr, done
        done = soma(*command, "--key", "sk_wrong", env={"GATEWAY_BASE_URL": url, "SOMA_ADMIN_KEY": ADMIN_KEY})
        assert done.returncode == 1 and "auth.invalid" in done.stderr, done
        done = soma(*command, env={"GATEWAY_BASE_URL": url})
        assert done.returncode == 1 and "--key" in done.stderr, done


def other_servers():
    """what is no SomaAgent01 is told as that, and not by a crash"""
    answers = {"/v1/tools": b'{"tools":[1,{"id":7},{"id":"odd"}]}'}

    class Odd(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = answers["/v1/tools"]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Odd)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        done = soma("tools", "ls", "--url", url, "--key", "k")
        assert done.returncode == 0 and "odd" in done.stdout, done
        for body in (b"", b"<html>", b"[]", b"{}", b'{"tools":{}}', b"\xff"):
            answers["/v1/tools"] = body
            done = soma("tools", "ls", "--url", url, "--key", "k")
            assert done.returncode == 1 and "is no SomaAgent01" in done.stderr, (body, done)
    finally:
        server.shutdown()


def refused_stream():
    """a session that may not be read ends a chat with a sentence, not with a minute of tries"""
    done = soma("chat", "--session", "00000000-0000-4000-8000-000000000000", "--url",
                f"http://127.0.0.1:{node.port}", "--key", "sk_wrong", timeout=20)
    assert done.returncode == 0, done  # nothing was asked
    piped = subprocess.run([os.path.join(BIN, "soma"), "chat", "--url", f"http://127.0.0.1:{node.port}", "--key",
                            "sk_wrong"], input="Hello\n", text=True, capture_output=True, timeout=20)
    assert piped.returncode == 1 and "auth.invalid" in piped.stderr, piped


def signs_in():
    """`soma signin` gives a link of the running server that holds once; the one before it no longer"""
    links = [soma("signin", "--data-dir", node.data_dir) for _ in range(2)]
    for one in links:
        assert one.returncode == 0 and "#signin=" in one.stdout, one
        assert one.stdout.startswith(f"http://localhost:{node.port}/ui/index.html#signin="), one
    old, new = (one.stdout.strip().split("#signin=")[1] for one in links)
    assert node.request("POST", "/v1/auth/login", {"token": old}, key=None)[0] == 401
    status, headers, _ = node.request("POST", "/v1/auth/login", {"token": new}, key=None)
    assert status == 200
    assert node.request("POST", "/v1/auth/login", {"token": new}, key=None)[0] == 401


def keeps_its_door():
    """whoever connects and says nothing, or goes at once, keeps no one else out; the socket is its owner's"""
    path = os.path.join(node.data_dir, "signin.sock")
    assert os.stat(path).st_mode & 0o077 == 0, oct(os.stat(path).st_mode)
    silent = []
    for _ in range(4):
        one = socket.socket(socket.AF_UNIX)
        one.connect(path)
        silent.append(one)
    socket.socket(socket.AF_UNIX).connect(path)
    assert soma("signin", "--data-dir", node.data_dir).returncode == 0
    for one in silent:
        one.close()


def no_server():
    """without a running server there is no link, and the reason is said; a killed one's socket is no obstacle"""
    node.kill()
    done = soma("signin", "--data-dir", node.data_dir)
    assert done.returncode == 1 and "no server runs" in done.stderr, done
    done = soma("signin", "--data-dir", "/nonexistent/folder")
    assert done.returncode == 1 and "no folder" in done.stderr, done
    node.start()
    assert soma("signin", "--data-dir", node.data_dir).returncode == 0


def main():
    global node
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url).start()
    try:
        return run_tests([manners, flags_win, other_servers, refused_stream, signs_in, keeps_its_door, no_server])
    finally:
        node.stop()
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(main())
