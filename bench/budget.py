"""Where the microseconds of a hot path go: the path under load (soma-bench paths), perf on the server,
each sample given to one line of the lists below: to its system call, else to what knows the innermost
of its frames. Times are shares of the CPU a unit of work that the same run measured.

    python3 bench/budget.py append [--soma BIN]      # also: fan-out, replay, relay, word
"""

import argparse
import collections
import json
import os
import re
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.join(HERE, "..", "build/release/bin")

# (line, what a frame of it matches), and the first that knows one.
CALL_LINES = [
    ("sync to disk", r"^(fdatasync|fsync|__x64_sys_fdatasync|ext4_sync_file)"),
    ("sockets: send", r"^(__sys_sendmsg|__sys_sendto|tcp_sendmsg|__x64_sys_send|inet_sendmsg)"),
    ("sockets: receive", r"^(__sys_recvmsg|__sys_recvfrom|tcp_recvmsg|__x64_sys_recv|sock_recvmsg)"),
    ("sockets: wait (epoll)", r"^(do_epoll_wait|do_epoll_ctl|__x64_sys_epoll|ep_poll)"),
    ("sockets: open, close", r"^(__x64_sys_connect|__sys_connect|__x64_sys_accept|__x64_sys_close|"
                             r"__x64_sys_socket|__x64_sys_shutdown|tcp_close)"),
    ("wake-ups and switches (futex)", r"^(do_futex|__x64_sys_futex|futex_)"),
    ("wake-ups (eventfd)", r"^(eventfd_)"),
    ("files: write, read", r"^(vfs_write|vfs_read|ksys_|ext4_|__x64_sys_p(read|write)|filemap_|vfs_)"),
]
KERNEL = re.compile(r"^(do_syscall_64|entry_SYSCALL|asm_|exc_|__do_softirq|handle_softirqs|schedule|"
                    r"__schedule|ret_from_fork|sysvec_|irq_|x64_sys_call)")
OWN_LINES = [
    ("allocation", r"^(malloc|free|cfree|_int_malloc|_int_free|operator new|operator delete|calloc|"
                   r"realloc|__libc_malloc|malloc_consolidate|unlink_chunk|sysmalloc|__default_morecore)"),
    ("schema of the body", r"valijson|body_schema"),
    ("digests", r"EVP_|SHA256|sha256|soma::security::digest|HMAC"),
    ("RocksDB: memtable", r"rocksdb::(MemTable|InlineSkipList|MemTableInserter|WriteBatchInternal::Insert)"),
    ("RocksDB: write-ahead log", r"rocksdb::(DBImpl::WriteToWAL|log::Writer|WritableFileWriter)"),
    ("RocksDB: reading", r"rocksdb::(DBIter|BlockIter|DataBlockIter|BlockBasedTable|DBImpl::Get|"
                         r"ArenaWrappedDBIter|MergingIterator|Version|TableCache)"),
    ("RocksDB, other", r"rocksdb::"),
    ("memories", r"sqlite3|soma::memory::"),
    ("events: encode, decode", r"soma::(encode|decode|json_writer|append_event_frame|make_feed_frame)|"
                               r"simdjson"),
    ("JSON of requests and answers", r"boost::json|soma::.*json"),
    ("provider's stream", r"soma::(llm::.*(stream|parser|splitter|joiner)|sse_parser)"),
    ("calls to providers", r"soma::(llm|models)::"),
    ("feed and streams", r"soma::(session_feed|feed_|http::(stream|sse|.*stream_hub|.*sse_))"),
    ("session's core", r"soma::(step|apply|session_)"),
    ("log: store", r"soma::storage::"),
    ("actors: ours", r"soma::actors::"),
    ("actors: CAF", r"caf::"),
    ("HTTP: parse, route, answer", r"soma::http::|boost::beast"),
    ("use cases, identity, policy", r"soma::(app|security|observability)::"),
    ("event loop (Asio)", r"boost::asio"),
]
CALLS = [(line, re.compile(pattern)) for line, pattern in CALL_LINES]
OWN = [(line, re.compile(pattern)) for line, pattern in OWN_LINES]


def samples_of(data):
    text = subprocess.run(["perf", "script", "-i", data, "--no-inline", "-F", "comm,ip,sym"],
                          capture_output=True, text=True, errors="replace", check=True).stdout
    for block in text.split("\n\n"):
        rows = [row for row in block.split("\n") if row.strip()]
        if not rows:
            continue
        frames = [row.strip().split(" ", 1)[-1] for row in rows[1:]]
        yield rows[0].strip(), frames


def line_of(frames):
    # A system call is told as itself, whoever makes it and whatever it does inside.
    for line, pattern in CALLS:
        if any(pattern.search(frame) for frame in frames):
            return line
    for frame in frames:
        for line, pattern in OWN:
            if pattern.search(frame):
                return line
    return "kernel, other" if any(KERNEL.search(frame) for frame in frames) else "rest"


def server_of(bench):
    deadline = time.time() + 30
    while time.time() < deadline:
        out = subprocess.run(["pgrep", "-P", str(bench.pid), "-x", "soma"], capture_output=True,
                             text=True, check=False).stdout.split()
        if out:
            return out[0]
        time.sleep(0.1)
    raise SystemExit("no server came up")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("path", choices=["append", "fan-out", "replay", "relay", "word"])
    parser.add_argument("--soma", default=os.path.join(BIN, "soma"))
    parser.add_argument("--bench", default=os.path.join(BIN, "soma-bench"))
    parser.add_argument("--rehearsal", default=os.path.join(BIN, "soma-rehearsal"))
    parser.add_argument("--seconds", type=float, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures, data = folder + "/figures.json", folder + "/perf.data"
        bench = subprocess.Popen(
            [given.bench, "paths", "--path", given.path, "--rounds", "1", "--soma", given.soma,
             "--rehearsal", given.rehearsal, "--seconds", str(given.seconds + 8), "--json", figures],
            stdout=subprocess.DEVNULL)
        server = server_of(bench)
        time.sleep(4)
        subprocess.run(["perf", "record", "-F", "700", "--call-graph", "dwarf,8192", "-o", data,
                        "-p", server, "--", "sleep", str(given.seconds)],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        lines, threads = collections.Counter(), collections.Counter()
        seen = collections.defaultdict(collections.Counter)
        for thread, frames in samples_of(data):
            line = line_of(frames)
            if line == "rest" and thread.startswith("memory."):
                line = "memories"  # SQLite's own functions have no names here
            lines[line] += 1
            threads[thread] += 1
            seen[line][thread] += 1
        bench.wait()
        with open(figures, encoding="utf-8") as file:
            report = json.load(file)
    cpu = next(m for m in report["metrics"] if m["metric"] == "CPU")
    value = cpu["systems"]["soma"]["median"]
    total = sum(lines.values())
    shown, unit = (value, "µs") if value >= 5 else (1000 * value, "ns")
    columns = [name for name, n in threads.most_common() if n > total / 100]
    print(f"{cpu['load']}: {value:.3g} {cpu['unit']}; {total} samples\n")
    print(f"| line | {unit} | " + " | ".join(columns) + " |")
    print("|---|---:|" + "---:|" * len(columns))
    for line, n in lines.most_common():
        if n < total / 200:
            continue
        cells = [f"{seen[line][c] / total * shown:.1f}" if seen[line][c] else "" for c in columns]
        print(f"| {line} | {n / total * shown:.1f} | " + " | ".join(cells) + " |")
    print(f"| all | {shown:.1f} | " +
          " | ".join(f"{threads[c] / total * shown:.1f}" for c in columns) + " |")


if __name__ == "__main__":
    main()
