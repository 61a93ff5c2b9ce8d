"""`soma chat` in a terminal: it streams, goes on through a restart of the server, Ctrl-C stops the
answer, and Ctrl-D or a second Ctrl-C ends it."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import ADMIN_KEY, BIN, Node, Rehearsal, run_tests, wait_until

node = None


class Chat:
    """The program on a terminal of its own. `shown` is all it wrote, with plain line ends."""

    def __init__(self, *options, key=ADMIN_KEY, url=None):
        self.terminal, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [os.path.join(BIN, "soma"), "chat", "--url", url or f"http://127.0.0.1:{node.port}", *options],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "SOMA_ADMIN_KEY": key}, preexec_fn=lambda: own_terminal(theirs))
        os.close(theirs)
        self.shown = ""

    def read(self, seconds=0.2):
        ready, _, _ = select.select([self.terminal], [], [], seconds)
        if not ready:
            return False
        try:
            piece = os.read(self.terminal, 65536)
        except OSError:  # the other side is closed
            piece = b""
        self.shown += piece.decode(errors="replace").replace("\r\n", "\n")
        return bool(piece)

    def until(self, wanted, seconds=30):
        """Waits until `wanted` matches what was shown, and gives the match."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(wanted, self.shown, re.DOTALL)):
            if time.monotonic() > deadline:
                raise AssertionError(f"{wanted!r} was never shown: {self.shown[-2000:]!r}")
            self.read()
        return found

    def say(self, text):
        os.write(self.terminal, text.encode())

    def end(self, seconds=20):
        """The exit status, once it ends by itself."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"it does not end: {self.shown[-2000:]!r}")
            self.read()
        while self.read(0):
            pass
        os.close(self.terminal)
        return self.process.returncode


def own_terminal(fd):
    import fcntl
    import termios
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)  # so that Ctrl-C is a signal


def last_session():
    return node.json("GET", "/v1/sessions?limit=1")["sessions"][0]["session_id"]


def answers(session):
    return [e["payload"]["text"] for e in node.events(session) if e["type"] == "message.assistant"]


def converses():
    """an answer streams in, the next question goes to the same session, Ctrl-D ends it"""
    chat = Chat()
    chat.until("> $")
    chat.say("One [[rehearsal words=40 delay_ms=2 unicode=1]]\n")
    chat.until("\n> $")
    first = answers(last_session())[0]
    assert first in chat.shown, (first, chat.shown)
    chat.say("Two [[rehearsal text=Second%20answer. delay_ms=0]]\n")
    chat.until("Second answer\\.\n+> $")
    assert len(answers(last_session())) == 2
    chat.say("\x04")
    assert chat.end() == 0
    assert last_session() in chat.shown, "it names the session to go on with"
    again = Chat("--session", last_session())
    again.until("> $")
    again.say("Three [[rehearsal words=2 delay_ms=0]]\n")
    again.until("\n> $")
    again.say("\x04")
    assert again.end() == 0 and len(answers(last_session())) == 3


def through_restarts():
    """kill -9 in the middle of an answer: it is shown whole, without a gap or a repeat"""
    chat = Chat()
    chat.until("> $")
    chat.say("[[rehearsal words=120 delay_ms=15 unicode=1]]\n")
    for _ in range(2):
        before = len(chat.shown)
        wait_until(lambda: chat.read(0.05) and len(chat.shown) > before + 100, what="some text")
        node.kill()
        node.start()
    chat.until("\n> $", 60)
    answer, = answers(last_session())
    assert answer in chat.shown, (answer, chat.shown)
    assert "starts over" not in chat.shown
    chat.say("\x04")
    assert chat.end() == 0


def stops():
    """Ctrl-C stops the answer and not the program"""
    chat = Chat()
    chat.until("> $")
    chat.say("[[rehearsal words=2000 delay_ms=20]]\n")
    chat.until("rehearsal.*\n.{40}")
    chat.say("\x03")
    chat.until("\n> $")
    completes = [e["payload"] for e in node.events(last_session()) if e["type"] == "llm.complete"]
    assert completes[-1]["finish_reason"] == "cancelled", completes
    chat.say("Next [[rehearsal text=Still%20here. delay_ms=0]]\n")
    chat.until("Still here\\.\n+> $")
    chat.say("\x03")  # at the prompt there is nothing to stop
    assert chat.end() == 0


def quits():
    """a second Ctrl-C ends the program, also while the server does not answer"""
    chat = Chat()
    chat.until("> $")
    chat.say("[[rehearsal words=2000 delay_ms=20]]\n")
    chat.until("rehearsal.*\n.{40}")
    os.kill(node.process.pid, signal.SIGSTOP)
    try:
        chat.say("\x03")
        time_of_first = time.monotonic()
        wait_until(lambda: not chat.read(0.05) or time.monotonic() > time_of_first + 1)
        chat.say("\x03")
        assert chat.end(10) != 0
    finally:
        os.kill(node.process.pid, signal.SIGCONT)


def refused():
    """a key that is wrong, or a session that is not there, is said and ends it"""
    for chat, said in ((Chat(key="sk-wrong"), "key"),
                       (Chat("--session", "00000000-0000-4000-8000-000000000000"), "session")):
        chat.until("> $")
        chat.say("Hello\n")
        assert chat.end() == 1
        assert said in chat.shown.split("Hello", 1)[1], chat.shown


def safe_on_a_terminal():
    """nothing of a model steers the terminal: controls and marks of direction are shown as symbols"""
    chat = Chat()
    chat.until("> $")
    # Sets the clipboard, clears the screen, names the window; CR, backspace, C1, a turned direction.
    chat.say("[[rehearsal text=A%1B]52;c;aGFja2Vk%07B%1B[2J%0DC%08D%C2%9BE%E2%80%AEF%7F%09G delay_ms=0]]\n")
    chat.until("\tG\n+> $")
    answer = chat.shown.rsplit("delay_ms=0]]", 1)[1]
    assert "A␛]52;c;aGFja2Vk␇B␛[2J␍C␈D<U+009B>E<U+202E>F␡\tG" in answer, answer
    assert not set(answer) & set("\x1b\x07\x08\x9b\u202e\x7f\r"), answer
    chat.say("[[rehearsal tool=echo inputs={\"text\":\"x\"}]]\n")
    chat.until("\\[tool echo\\].*\n> $")
    chat.say("\x04")
    assert chat.end() == 0


def raw_in_a_pipe():
    """what is no terminal gets the answer as it is"""
    done = subprocess.run([os.path.join(BIN, "soma"), "chat", "--url", f"http://127.0.0.1:{node.port}"],
                          input=b"[[rehearsal text=A%1B[2JB delay_ms=0]]\n", capture_output=True, timeout=60,
                          env={**os.environ, "SOMA_ADMIN_KEY": ADMIN_KEY})
    assert done.stdout.strip() == b"A\x1b[2JB", done


def away():
    """without a server it says so at once, and Ctrl-C ends it at once"""
    chat = Chat(url="http://127.0.0.1:9")  # of no server: the discard port
    chat.until("not reachable at http://127.0.0.1:9")
    chat.until("> $")
    chat.say("Hello\n")
    chat.until("Hello.*not reachable")
    chat.say("\x03")
    assert chat.end(5) == 130, chat.shown


def fails():
    """a turn that failed is told by the exit status, and so is one after it that did not"""
    for last, status in (("[[rehearsal status=400]]", 1), ("[[rehearsal text=Good. delay_ms=0]]", 0)):
        done = subprocess.run([os.path.join(BIN, "soma"), "chat", "--url", f"http://127.0.0.1:{node.port}"],
                              input=f"[[rehearsal status=400]]\n{last}\n", text=True, capture_output=True,
                              timeout=60, env={**os.environ, "SOMA_ADMIN_KEY": ADMIN_KEY})
        assert done.returncode == status, done
        assert "llm." in done.stderr, done


def piped():
    """without a terminal it shows no prompt, and ends with its input"""
    done = subprocess.run([os.path.join(BIN, "soma"), "chat", "--url", f"http://127.0.0.1:{node.port}"],
                          input="Hi [[rehearsal text=Piped. delay_ms=0]]\n", text=True,
                          capture_output=True, timeout=60,
                          env={**os.environ, "SOMA_ADMIN_KEY": ADMIN_KEY})
    assert (done.returncode, done.stdout.strip()) == (0, "Piped."), done


def main():
    global node
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url).start()
    try:
        return run_tests([converses, through_restarts, stops, quits, refused, safe_on_a_terminal,
                          raw_in_a_pipe, away, fails, piped])
    finally:
        node.stop()
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(main())
