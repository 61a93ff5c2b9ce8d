"""schemas/openapi.json as others read it: redocly and spectral find nothing, and the clients that
openapi-typescript and openapi-python-client make of it walk a session. What cannot be installed is
skipped, and said so."""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from node_under_test import ADMIN_KEY, Node, Rehearsal

ROOT = os.path.join(HERE, "..", "..")
DOCUMENT = os.path.join(ROOT, "schemas", "openapi.json")
WORK = os.path.join(ROOT, "build", "components", "openapi")
PYTHON = os.path.join(ROOT, "build", "components", "openapi-tools", "bin", "python")

# The generator takes no other content types than JSON and forms: import, the bytes of a work folder's
# file and /v1/responses (a member that can only be null) have no function, and it says so.
PYTHON_WALK = """
import os, time
from made import AuthenticatedClient
from made.api.messages import send_message
from made.api.sessions import delete_session, get_history, get_session, list_sessions
from made.api.events import list_events
from made.models import MessageSend
client = AuthenticatedClient(base_url=os.environ["BASE_URL"], token=os.environ["KEY"],
                             raise_on_unexpected_status=True)
body = MessageSend.from_dict({"message": "[[rehearsal words=5 delay_ms=0]]"})
made = send_message.sync(client=client, body=body)
deadline = time.monotonic() + 30
while not any(e.type_ == "message.assistant" for e in list_events.sync(made.session_id, client=client).events):
    assert time.monotonic() < deadline, "no answer"
assert get_session.sync(made.session_id, client=client).session_id == made.session_id
assert get_history.sync_detailed(made.session_id, client=client).status_code == 200
assert list_sessions.sync(client=client).sessions
assert delete_session.sync_detailed(made.session_id, client=client).status_code == 204
"""


def run(*command, env=None):
    made = subprocess.run(command, cwd=WORK, env={**os.environ, **(env or {})}, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    assert made.returncode == 0, f"{command[0]}: {made.stdout[-3000:]}"
    return made.stdout


def npm(name):
    return os.path.join(WORK, "node_modules", ".bin", name)


def redocly():
    """redocly finds nothing"""
    told = run(npm("redocly"), "lint", "--format=stylish", DOCUMENT)
    assert " warning " not in told, told


def spectral():
    """spectral finds nothing"""
    run(npm("spectral"), "lint", "--fail-severity=hint", "-r", os.path.join(HERE, "openapi/spectral.yaml"),
        DOCUMENT)


def typescript(env):
    """a client made by openapi-typescript walks a session"""
    run(npm("openapi-typescript"), DOCUMENT, "-o", "api.d.ts")
    shutil.copy(os.path.join(HERE, "openapi", "walk.ts"), WORK)
    run(npm("tsc"), "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext",
        "--types", "node", "walk.ts")
    run("node", "walk.js", env=env)


def python(env):
    """a client made by openapi-python-client walks a session"""
    shutil.rmtree(os.path.join(WORK, "made"), ignore_errors=True)
    run(os.path.join(os.path.dirname(PYTHON), "openapi-python-client"), "generate", "--path", DOCUMENT,
        "--output-path", "made", "--meta", "none")
    run(PYTHON, "-c", PYTHON_WALK, env=env)


def has_node(*least):
    told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    return bool(told) and tuple(int(n) for n in told.strip("v\n").split(".")[:2]) >= least


def main():
    os.makedirs(WORK, exist_ok=True)
    shutil.copy(os.path.join(HERE, "openapi", "package.json"), WORK)
    tests = []
    if subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], cwd=WORK,
                      check=False).returncode == 0:
        tests += [(redocly, ())] if has_node(20, 19) else []
        tests += [(spectral, ()), (typescript, ("env",))]
    if not has_node(20, 19):
        print("skip  redocly: it needs Node 20.19")
    if subprocess.run([PYTHON, "-c", "import openapi_python_client"], check=False).returncode == 0:
        tests.append((python, ("env",)))
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url).start()
    env = {"BASE_URL": f"http://127.0.0.1:{node.port}", "KEY": ADMIN_KEY}
    failed = 0
    try:
        for test, wants in tests:
            try:
                test(*([env] if wants else []))
                print("ok   ", test.__doc__)
            except Exception as why:
                failed += 1
                print("FAIL ", test.__doc__ + ":", why)
    finally:
        node.stop()
        rehearsal.stop()
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
