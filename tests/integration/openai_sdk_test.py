"""OpenAI's own SDK for JavaScript, unchanged, against a real server: tests/sdk/sdk.mjs."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import ADMIN_KEY, Node
from upstream import Upstream

SDK = os.path.join(os.path.dirname(__file__), "..", "sdk")


def main():
    up = Upstream()
    node = Node(up.base_url, settings=["llm.retries=0"], env={"SOMA_LLM_MODEL": "ok"}).start()
    try:
        for model in ("ok", "calls", "hang", "limited", "limited_once", "fail", "gone", "unauthorized",
                      "long"):
            node.json("PUT", f"/v1/model-profiles/{model}",
                      {"model": model, "base_url": up.base_url, "role": "extra"}, expect=200)
        for name, kind in (("claude", "anthropic"), ("responses", "openai_responses")):
            node.json("PUT", f"/v1/model-profiles/{name}",
                      {"model": "ok", "base_url": up.base_url, "role": "extra", "kind": kind},
                      expect=200)
        return subprocess.run(["node", "sdk.mjs"], cwd=SDK, timeout=120, check=False, env={
            **os.environ, "BASE_URL": f"http://127.0.0.1:{node.port}/v1", "KEY": ADMIN_KEY,
            "UPSTREAM": up.base_url}).returncode
    finally:
        node.stop()
        up.stop()


if __name__ == "__main__":
    sys.exit(main())
