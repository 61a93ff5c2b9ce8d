"""A server on a disk that stands still, fills up or takes half of a line when told so, by a library
that is loaded into it (held_disk.c). Standard library only."""

import json
import os
import shutil
import tempfile
import threading

from node_under_test import ADMIN_KEY, BIN, Node


class HeldDisk:
    """A node on a disk that can be held."""

    def __init__(self, base_url, settings=(), env=None):
        self.folder = tempfile.mkdtemp(prefix="soma-held-")
        self.flag = os.path.join(self.folder, "hold")
        self.page = os.path.join(self.folder, "ui")
        os.mkdir(self.page)
        with open(os.path.join(self.page, "index.html"), "w") as file:
            file.write("<p>the page</p>")
        library = os.path.join(BIN, "libheld_disk.so")
        self.node = Node(base_url, settings=[f"server.ui_dir={self.page}", *settings],
                         env={"HELD_DISK": self.flag, "LD_PRELOAD": library,
                              "GATEWAY_ENC_KEY": "11" * 32, **(env or {})})
        self.node.start()

    def hold(self):
        open(self.flag, "w").close()

    def hold_store(self):
        """The store's syncs alone: files go on."""
        open(self.flag + ".store", "w").close()

    def held(self):
        """How many stood still so far."""
        try:
            return os.path.getsize(self.flag + ".inside")
        except FileNotFoundError:
            return 0

    def written(self, text):
        """Whether the store's files say so, synced or not."""
        store = os.path.join(self.node.data_dir, "store")
        for name in os.listdir(store):
            if name.endswith(".log"):
                with open(os.path.join(store, name), "rb") as file:
                    if text in file.read():
                        return True
        return False

    def hold_reads(self):
        open(self.flag + ".reads", "w").close()

    def reads_held(self):
        return sum(os.path.exists(f"{self.flag}.reads.{n}") for n in (1, 2))

    def fill(self, what="full"):
        """No room for the store ("full"), or for whole audit records ("audit")."""
        open(f"{self.flag}.{what}", "w").close()

    def let_go(self):
        for ending in ("", ".store", ".reads", ".full", ".audit"):
            if os.path.exists(self.flag + ending):
                os.remove(self.flag + ending)

    def end(self):
        self.let_go()
        try:
            assert self.node.stop() == 0, self.node.log_text()[-2000:]
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


class Waiting(threading.Thread):
    """A request that is answered some time."""

    def __init__(self, node, method, path, body=None, key=ADMIN_KEY, headers=None):
        super().__init__(daemon=True)
        self.ask = lambda: node.request(method, path, body, headers, key)
        self.name, self.status, self.text = f"{method} {path}", None, ""
        self.start()

    def run(self):
        try:
            self.status, _, self.text = self.ask()
        except Exception as why:
            self.status, self.text = 0, repr(why)

    def ended(self, status):
        self.join(60)
        assert self.status == status, f"{self.name}: {self.status} {self.text[:400]}"
        return json.loads(self.text) if self.text else None
