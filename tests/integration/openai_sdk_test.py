"""Official and popular clients of OpenAI's API, unchanged, against a real server before a scripted
provider: tests/sdk/sdk.mjs and ai.mjs (npm), clients.py (PyPI). What is not installed is skipped, and
said so; `./dev` installs it."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import ADMIN_KEY, Node
from upstream import Upstream

SDK = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "sdk"))
CLIENTS = os.environ.get("SOMA_CLIENTS") or os.path.join(SDK, "..", "..", "build", "components",
                                                         "clients")


def node_with_profiles(up):
    node = Node(up.base_url, settings=["llm.retries=0", "llm.breaker_failures=1000"],
                env={"SOMA_LLM_MODEL": "ok"}).start()
    models = ["ok", "calls", "once", "hang", "limited", "limited_once", "fail", "gone",
              "unauthorized", "long"]
    profiles = [(model, model, "openai_chat") for model in models]
    for kind, suffix in (("anthropic", "claude"), ("openai_responses", "responses")):
        profiles += [(suffix, "ok", kind), ("calls_" + suffix, "calls", kind),
                     ("once_" + suffix, "once", kind)]
    for name, model, kind in profiles:
        node.json("PUT", f"/v1/model-profiles/{name}", {
            "model": model, "base_url": up.base_url, "role": "extra", "kind": kind}, expect=200)
    return node


def run(programs):
    """Runs them all against one server; the last line is the sum of theirs."""
    up = Upstream()
    node = node_with_profiles(up)
    env = {**os.environ, "BASE_URL": f"http://127.0.0.1:{node.port}/v1", "KEY": ADMIN_KEY,
           "UPSTREAM": up.base_url}
    passed = failed = 0
    try:
        for command in programs:
            made = subprocess.run(command, cwd=SDK, timeout=300, check=False, env=env, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            sums = re.findall(r"^(\d+) passed, (\d+) failed$", made.stdout, re.MULTILINE)
            print(re.sub(r"\d+ passed, \d+ failed\n$", "", made.stdout), end="")
            passed += int(sums[-1][0]) if sums else 0
            failed += int(sums[-1][1]) if sums else 1
    finally:
        node.stop()
        up.stop()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def python_clients(*names):
    """The command that runs those of clients.py; none where the registry could not be reached."""
    python = os.path.join(CLIENTS, "bin", "python")
    found = os.path.exists(python) and subprocess.run(
        [python, "-c", "import " + ", ".join(names)], capture_output=True, check=False,
        cwd="/").returncode == 0
    if not found:
        print(f"skip  {', '.join(names)} (PyPI): not installed")
        return []
    return [[python, "clients.py", *names]]


def main():
    return run([["node", "sdk.mjs"], ["node", "ai.mjs"], *python_clients("openai", "anthropic")])


if __name__ == "__main__":
    sys.exit(main())
