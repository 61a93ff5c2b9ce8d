"""A TCP proxy that a test cuts: between nodes and brokers, and between nodes. Bytes that travel from one place
to another are held back, delayed, or their connections closed, one way or both; what was held arrives when the cut ends,
as TCP would bring it, and so does a close. Standard library only; a process of its own, so that
readers in the test do not slow it down.

A door is a port that stands for a place (`broker-1`, `node-2`). Who connects is known by its process: a node's by its
SOMA_NODE_ID, all others are "others". What a cut cannot be here: a connection that is begun during a cut is taken, and
then hears nothing, where a cut network would not even take it."""

import asyncio
import collections
import json
import os
import subprocess
import sys
import threading
import time

PIECE = 1 << 16
HELD_MAX = 64  # pieces of a direction that wait; then its sender waits


class CuttingProxy:
    """Starts the process; `door` opens one, `rules` says what is cut from now on."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.lock = threading.Lock()

    def ask(self, **what):
        with self.lock:
            self.process.stdin.write(json.dumps(what) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

    def door(self, place, port, to_port):
        """Listens at `port` for what goes to `place`, which listens at `to_port`."""
        answer = self.ask(door=place, port=port, to=to_port)
        if answer.get("error"):
            raise OSError(answer["error"])

    def rules(self, *rules):
        """Of `hold`, `delay` and `refuse` (below); replaces those before. None: all is whole."""
        self.ask(rules=list(rules))

    def counts(self):
        """Bytes that arrived, by "from>to"."""
        return self.ask(counts=True)["counts"]

    def stop(self):
        self.process.kill()
        self.process.wait()


def hold(a, b, both=True):
    """What travels from a to b, and back if `both`, waits until the rule is gone. "*" is everybody, `name*` all that
    begin so."""
    return [{"from": a, "to": b, "how": "hold"}] + ([{"from": b, "to": a, "how": "hold"}] if both else [])


def delay(a, b, ms, both=False):
    one = [{"from": a, "to": b, "how": "delay", "ms": ms}]
    return one + (delay(b, a, ms) if both else [])


def refuse(a, b):
    """Connections between the two are closed, and those that are begun."""
    return [{"from": a, "to": b, "how": "refuse"}, {"from": b, "to": a, "how": "refuse"}]


# ---- the process ----

def node_names():
    """pid → SOMA_NODE_ID of the nodes on this machine."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as file:
                if file.read().strip() != "soma":
                    continue
            with open(f"/proc/{pid}/environ", "rb") as file:
                for one in file.read().split(b"\0"):
                    if one.startswith(b"SOMA_NODE_ID="):
                        found[pid] = one[13:].decode()
        except OSError:
            pass
    return found


def socket_inode(local_port, remote_port):
    mine, other = f":{local_port:04X}", f":{remote_port:04X}"
    with open("/proc/net/tcp") as file:
        for line in file:
            fields = line.split()
            if fields[1].endswith(mine) and fields[2].endswith(other):
                return fields[9]
    return None


def who_connected(from_port, to_port):
    inode = socket_inode(from_port, to_port)
    for pid, name in node_names().items() if inode else ():
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{fd}") == f"socket:[{inode}]":
                    return name
        except OSError:
            pass
    return "others"


def matches(pattern, name):
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else pattern == name


class Proxy:
    def __init__(self):
        self.rules, self.changed = [], asyncio.Event()
        self.links = set()
        self.arrived = collections.Counter()

    def those(self, a, b, how):
        return [r for r in self.rules if r["how"] == how and matches(r["from"], a) and matches(r["to"], b)]

    async def while_held(self, a, b):
        while self.those(a, b, "hold"):
            await self.changed.wait()

    def set_rules(self, rules):
        self.rules = rules
        for link in list(self.links):
            if self.those(link.a, link.b, "refuse"):
                link.close()
        self.changed.set()
        self.changed = asyncio.Event()

    async def open(self, place, port, to_port):
        async def take(reader, writer):
            peer = writer.get_extra_info("peername")[1]
            await Link(self, who_connected(peer, port), place, reader, writer).run(to_port)
        await asyncio.start_server(take, "127.0.0.1", port, backlog=512)

    async def commands(self):
        loop = asyncio.get_running_loop()
        lines = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            what, answer = json.loads(line), {}
            try:
                if "door" in what:
                    await self.open(what["door"], what["port"], what["to"])
                elif "rules" in what:
                    self.set_rules([one for rule in what["rules"] for one in rule])
                elif "counts" in what:
                    answer["counts"] = {f"{a}>{b}": n for (a, b), n in self.arrived.items()}
            except OSError as why:
                answer["error"] = str(why)
            print(json.dumps(answer), flush=True)


class Link:
    """One connection from a to b and what was begun for it."""

    def __init__(self, proxy, a, b, reader, writer):
        self.proxy, self.a, self.b = proxy, a, b
        self.near_reader, self.near, self.far = reader, writer, None

    async def run(self, to_port):
        if self.proxy.those(self.a, self.b, "refuse"):
            self.near.transport.abort()
            return
        self.proxy.links.add(self)
        try:
            await self.proxy.while_held(self.a, self.b)
            far_reader, self.far = await asyncio.open_connection("127.0.0.1", to_port)
            await asyncio.gather(self.carry(self.near_reader, self.far, self.a, self.b),
                                 self.carry(far_reader, self.near, self.b, self.a))
        except OSError:
            pass
        finally:
            self.close()
            self.proxy.links.discard(self)

    def close(self):
        for one in (self.near, self.far):
            if one:
                one.transport.abort()

    async def carry(self, reader, writer, a, b):
        queue = asyncio.Queue(HELD_MAX)
        task = asyncio.create_task(self.bring(queue, writer, a, b))
        try:
            piece = b"-"
            while piece:
                try:
                    piece = await reader.read(PIECE)
                except OSError:
                    piece = b""
                put = asyncio.create_task(queue.put((time.monotonic(), piece)))
                await asyncio.wait({put, task}, return_when=asyncio.FIRST_COMPLETED)
                if task.done():
                    put.cancel()
                    break
            await task
        finally:
            task.cancel()

    async def bring(self, queue, writer, a, b):
        while True:
            since, piece = await queue.get()
            late = sum(r["ms"] for r in self.proxy.those(a, b, "delay")) / 1000
            if (left := since + late - time.monotonic()) > 0:
                await asyncio.sleep(left)
            await self.proxy.while_held(a, b)
            if not piece:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            writer.write(piece)
            await writer.drain()
            self.proxy.arrived[(a, b)] += len(piece)


if __name__ == "__main__":
    try:
        asyncio.run(Proxy().commands())
    except KeyboardInterrupt:
        pass
