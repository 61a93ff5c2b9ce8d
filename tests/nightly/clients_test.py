"""What is built on OpenAI's clients: LangChain, LiteLLM as a client and the Agents SDK (PyPI), unchanged.
Heavy to install, so not in CI; the clients themselves are, in integration/openai_sdk_test.py."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "integration"))
from openai_sdk_test import python_clients, run

if __name__ == "__main__":
    sys.exit(run(python_clients("langchain_openai") + python_clients("litellm") +
                 python_clients("agents")))
