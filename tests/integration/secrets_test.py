"""Secrets of the configuration that are kept elsewhere: in variables, in files, in a Vault (OpenBao, the real
program). What cannot be read refuses the start; what changes is taken up; nothing of it is ever said."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import BIN, Node, Rehearsal, free_port, run_tests, wait_until
from upstream import Upstream

BAO = os.path.join(os.path.dirname(__file__), "..", "..", "build/components/clients/bin/bao")
KEY = "a-key-that-nobody-may-see-in-a-log"


class Bao:
    """A server of OpenBao in memory, with the KV store `secret`."""

    def __init__(self):
        self.port = free_port()
        self.addr = f"http://127.0.0.1:{self.port}"
        self.home = tempfile.mkdtemp(prefix="soma-test-")
        self.process = subprocess.Popen(
            [BAO, "server", "-dev", "-dev-root-token-id=root", f"-dev-listen-address=127.0.0.1:{self.port}",
             "-dev-no-store-token"], env={**os.environ, "HOME": self.home},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.is_up, what="OpenBao")

    def is_up(self):
        try:
            return self.call("GET", "sys/health") is not None
        except (OSError, urllib.error.URLError):
            return False

    def call(self, method, path, body=None):
        asked = urllib.request.Request(f"{self.addr}/v1/{path}", json.dumps(body).encode() if body else None,
                                       {"X-Vault-Token": "root"}, method=method)
        with urllib.request.urlopen(asked) as answer:
            text = answer.read()
            return json.loads(text) if text else {}

    def put(self, path, **fields):
        self.call("POST", f"secret/data/{path}", {"data": fields})

    def app_role(self, ttl="20s"):
        """A role that may read secret/soma; (role_id, secret_id)."""
        self.call("POST", "sys/auth/approle", {"type": "approle"})
        self.call("POST", "sys/policies/acl/soma",
                  {"policy": 'path "secret/data/soma" { capabilities = ["read"] }'})
        self.call("POST", "auth/approle/role/soma", {"token_policies": "soma", "token_ttl": ttl, "token_max_ttl": ttl})
        role = self.call("GET", "auth/approle/role/soma/role-id")["data"]["role_id"]
        return role, self.call("POST", "auth/approle/role/soma/secret-id", {"x": 1})["data"]["secret_id"]

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def refused(env):
    folder = tempfile.mkdtemp(prefix="soma-test-")
    done = subprocess.run([os.path.join(BIN, "soma"), "serve", "--data-dir", folder, "--port", "0"],
                          env={**os.environ, **env}, capture_output=True, text=True, timeout=30)
    shutil.rmtree(folder)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    return done.stderr


def of_variables_and_files():
    """secrets: env: and file: are read at the start; what is not there refuses it, by its key"""
    folder = tempfile.mkdtemp(prefix="soma-test-")
    path = os.path.join(folder, "token")
    with open(path, "w", encoding="utf-8") as file:
        file.write("the-internal-token\n")
    node = Node("http://127.0.0.1:1/v1", env={"SOMA_ADMIN_KEY": "env:MY_KEY", "MY_KEY": KEY,
                                              "GATEWAY_INTERNAL_TOKEN": "file:" + path})
    try:
        node.start()
    except AssertionError:
        print(node.log_text())
        raise
    try:
        assert node.request("GET", "/v1/sessions", key=KEY)[0] == 200
        assert node.request("GET", "/v1/sessions", key="env:MY_KEY")[0] == 401
        assert node.request("GET", "/metrics", key=None, headers={"X-Internal-Token": "the-internal-token"})[0] == 200
        assert KEY not in node.log_text()
    finally:
        node.stop()
    assert "auth.admin_key" in refused({"SOMA_ADMIN_KEY": "env:NOT_THERE"})
    said = refused({"SOMA_ADMIN_KEY": "file:" + folder + "/none"})
    assert "auth.admin_key" in said and "none" in said, said
    open(path, "w", encoding="utf-8").close()
    assert "empty" in refused({"SOMA_ADMIN_KEY": "file:" + path})
    shutil.rmtree(folder)


def of_a_vault():
    """secrets: Vault's by an AppRole, whose token is renewed; a key that changes there is used from then on"""
    bao, upstream = Bao(), Upstream()
    role, secret_id = bao.app_role(ttl="4s")
    bao.put("soma", admin=KEY, llm="the-first", other="x")
    env = {"VAULT_ADDR": bao.addr, "VAULT_ROLE_ID": role, "VAULT_SECRET_ID": secret_id,
           "SOMA_ADMIN_KEY": "vault:secret/soma#admin", "SOMA_LLM_API_KEY": "vault:secret/soma#llm", "SOMA_LOG_LEVEL": "info"}
    node = Node(upstream.base_url, settings=["vault.refresh_s=1"], env=env).start()
    try:
        assert node.request("GET", "/v1/sessions", key=KEY)[0] == 200

        def ask():
            node.request("POST", "/v1/llm/invoke", {"messages": [{"role": "user", "content": "x"}]}, key=KEY)
            with upstream.lock:
                return upstream.requests[-1][1].get("authorization") if upstream.requests else None

        assert ask() == "Bearer the-first", upstream.requests
        bao.put("soma", admin="another", llm="the-second")
        wait_until(lambda: ask() == "Bearer the-second", what="the second key")
        # What is read once is what it was, until the next start.
        assert node.request("GET", "/v1/sessions", key=KEY)[0] == 200
        # Its token has run out by now, and the AppRole took another.
        time.sleep(5)
        bao.put("soma", admin="another", llm="the-third")
        wait_until(lambda: ask() == "Bearer the-third", what="the third key")
        # Away: what was read goes on.
        bao.stop()
        wait_until(lambda: "secrets.unread" in node.log_text(), what="a line that says so")
        assert ask() == "Bearer the-third"
        node.stop()
        text = node.log_text()
        assert '"secrets.changed"' in text and '"auth.admin_key"' in text, "nothing says that it changed"
        for secret in (KEY, "another", "the-first", "the-second", "the-third", secret_id):
            assert secret not in text, "a secret is in the log"
        said = refused(env)
        assert "does not answer" in said and "auth.admin_key" in said, said
    finally:
        node.stop()
        upstream.listener.close()
        bao.stop()


def refusals_of_a_vault():
    """secrets: a token that may not, a path that is not there, a field that is not there: each is a sentence"""
    bao = Bao()
    try:
        bao.put("soma", admin=KEY)
        env = {"VAULT_ADDR": bao.addr, "VAULT_TOKEN": "root", "SOMA_ADMIN_KEY": "vault:secret/soma#admin"}
        for changed, said in (({"VAULT_TOKEN": "wrong"}, "does not let us"),
                              ({"SOMA_ADMIN_KEY": "vault:secret/none#admin"}, "404"),
                              ({"SOMA_ADMIN_KEY": "vault:secret/soma#none"}, "no such field"),
                              ({"SOMA_ADMIN_KEY": "vault:secret/../sys#x"}, "named as vault:"),
                              ({"SOMA_ADMIN_KEY": "vault:soma"}, "named as vault:"),
                              ({"VAULT_ADDR": ""}, "vault.addr"),
                              ({"VAULT_TOKEN": ""}, "needs vault.token")):
            told = refused({**env, **changed})
            assert said in told and "auth.admin_key" in told and KEY not in told, (changed, told)
        node = Node("http://127.0.0.1:1/v1", env={**env, "VAULT_TOKEN": "env:TOKEN_OF_BAO", "TOKEN_OF_BAO": "root"}).start()
        try:
            assert node.request("GET", "/v1/sessions", key=KEY)[0] == 200
        finally:
            node.stop()
    finally:
        bao.stop()


TESTS = [of_variables_and_files]
if os.path.exists(BAO):
    TESTS += [of_a_vault, refusals_of_a_vault]
else:
    print("skip  OpenBao (PyPI): not installed")

if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
