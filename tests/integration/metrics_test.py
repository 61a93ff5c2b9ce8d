"""GET /metrics: everything docs/operations.md lists is there, and counts what happens."""

import concurrent.futures
import os
import re
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import Node, Rehearsal, run_tests, wait_until
from stream_client import Stream, is_final

DOCS = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "operations.md")

node = None


def metrics():
    """name{labels} → value"""
    text = node.request("GET", "/metrics")[2]
    return {m[1]: float(m[2]) for m in re.finditer(r"^([a-z_]+(?:\{.*\})?) (\S+)$", text, re.MULTILINE)}


def value(name, **labels):
    """The sum over the rows that have these labels."""
    found = [v for row, v in metrics().items()
             if row.split("{")[0] == name and all(f'{k}="{v}"' in row for k, v in labels.items())]
    assert found, f"no {name} with {labels}"
    return sum(found)


def requests():
    """requests are counted by route, method and status, each once"""
    for method, path, route, status in (
            ("GET", "/v1/sessions", "list_sessions", 200), ("HEAD", "/v1/sessions", "list_sessions", 200),
            ("GET", "/v1/sessions?x=1", "list_sessions", 400), ("POST", "/v1/sessions", "create_session", 201),
            ("GET", "/no/such/path", "unmatched", 404), ("TRACE", "/v1/sessions", "unmatched", 405)):
        def count():
            rows = {row: v for row, v in metrics().items() if row.startswith("soma_http_requests_total")
                    and f'route="{route}"' in row and f'status="{status}"' in row
                    and f'method="{method if method != "TRACE" else "OTHER"}"' in row}
            return sum(rows.values())
        before = count()
        assert node.request(method, path)[0] == status
        assert count() == before + 1, (method, path)
    assert not any('method=""' in row for row in metrics())
    assert value("soma_http_request_seconds_count", route="list_sessions") >= 3


def streams():
    """streams, their frames, bytes and reads of the log are counted"""
    before = {name: value(name) for name in ("soma_stream_frames_total", "soma_stream_bytes_total",
                                             "soma_stream_log_reads_total", "soma_streams_open")}
    assert before["soma_streams_open"] == 0
    session = node.say("[[rehearsal words=20 delay_ms=0]]")["session_id"]
    wait_until(lambda: not node.json("GET", f"/v1/sessions/{session}")["busy"])
    with Stream(node, f"/v1/session/{session}/events") as stream:
        seen = stream.until(is_final)
        assert value("soma_streams_open") == 1
        assert value("soma_stream_log_reads_total") > before["soma_stream_log_reads_total"]
        assert value("soma_stream_frames_total") >= before["soma_stream_frames_total"] + len(seen)
        size = sum(len(str(block["data"])) for block in seen)
        assert value("soma_stream_bytes_total") > before["soma_stream_bytes_total"] + size / 2
        live = value("soma_stream_frames_total")
        node.say("[[rehearsal words=5 delay_ms=0]]", session)
        stream.until(is_final)
        assert value("soma_stream_frames_total") > live
    wait_until(lambda: value("soma_streams_open") == 0, what="the stream's end")


def models():
    """turns, model calls, their failures and first tokens are counted"""
    def counts():
        rows = metrics()
        return [sum(v for row, v in rows.items() if row.startswith(name)) for name in (
            "soma_llm_calls_total", 'soma_llm_failures_total{code="llm.auth"}',
            'soma_turns_total{outcome="stop"}', 'soma_turns_total{outcome="error"}',
            'soma_turns_total{outcome="cancelled"}', "soma_llm_first_token_seconds_count")]
    before = counts()
    for text in ("[[rehearsal words=2 delay_ms=0]]", "[[rehearsal status=401]]"):
        session = node.say(text)["session_id"]
        wait_until(lambda: not node.json("GET", f"/v1/sessions/{session}")["busy"])
    session = node.say("[[rehearsal hang_before=1]]")["session_id"]
    # A turn that still looks for what is remembered has called no model.
    wait_until(lambda: counts()[0] == before[0] + 3, what="its call")
    node.json("POST", "/v1/session/action", {"session_id": session, "action": "stop"}, expect=200)
    wait_until(lambda: counts() == [n + more for n, more in zip(before, (3, 1, 1, 1, 1, 1))],
               what=f"the counts, {before} → {counts()}")


def appends_and_gauges():
    """appends and syncs are counted, gauges follow what is open"""
    events = value("soma_append_events_total")
    session = node.json("POST", "/v1/sessions", {}, expect=201)["session_id"]
    for n in range(3):
        node.json("POST", f"/v1/sessions/{session}/events", {"name": "n", "data": n}, expect=202)
    assert value("soma_append_events_total") == events + 4
    assert value("soma_append_sync_seconds_count") == value("soma_append_batches_total")
    assert value("soma_append_bytes_total") > 0 and value("soma_sessions_active") >= 1
    assert value("soma_writer_queue_bytes") == 0 and value("soma_http_connections_refused_total") == 0
    held = [node.connect() for _ in range(5)]
    for each in held:
        each.request("GET", "/healthz")
        each.getresponse().read()
    assert value("soma_http_connections_open") >= 6
    for each in held:
        each.close()
    wait_until(lambda: value("soma_http_connections_open") == 1, what="the connections' end")
    assert value("soma_asks_in_flight") == 0 and value("soma_reader_queue_depth") == 0


def bounded_asks():
    """past http.asks_inflight_max a request is 503 at once, and the metric shows those under way"""
    session = node.json("POST", "/v1/sessions", {}, expect=201)["session_id"]
    refused, accepted, most = [], [], 0
    stop = threading.Event()

    def write(n):
        while not stop.is_set():
            status, headers, _ = node.request("POST", f"/v1/sessions/{session}/events",
                                              {"name": "n", "data": n})
            (accepted if status == 202 else refused).append((status, headers.get("Retry-After")))
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for n in range(16):
            pool.submit(write, n)
        try:
            def seen():
                nonlocal most
                most = max(most, value("soma_asks_in_flight"))
                return refused and most > 0 and len(accepted) > 20
            wait_until(seen, 30, "a refusal and an ask under way")
        finally:
            stop.set()
    assert set(refused) == {(503, "1")}, set(refused)
    assert most <= 2, most
    stored = sum(e["type"] == "app.event" for e in node.events(session))
    assert stored == len(accepted), (stored, len(accepted))


def documented():
    """what the table in docs/operations.md names is there, and nothing of ours is left out"""
    with open(DOCS) as file:
        table = re.search(r"^## Metrics$.*?^## ", file.read(), re.MULTILINE | re.DOTALL)[0]
    # Those of a cluster are there in one.
    named = {name for name in re.findall(r"`(soma_[a-z_]+)", table) if not name.startswith("soma_cluster_")}
    # Those of policy are there where somebody else is asked, those of sign-ins where a provider is set up.
    env = {"OPA_URL": "http://127.0.0.1:1", "OIDC_ISSUER": "http://127.0.0.1:1", "OIDC_CLIENT_ID": "soma"}
    asking = Node("http://127.0.0.1:1/v1", env=env, settings=[
        "server.base_url=http://127.0.0.1:21016", "oidc.tenants=* -> default"]).start()
    try:
        text = node.request("GET", "/metrics")[2] + asking.request("GET", "/metrics")[2]
    finally:
        asking.stop()
    shown = set(re.findall(r"^# TYPE (soma_\S+)", text, re.MULTILINE))
    assert named == shown, (named - shown, shown - named)


def main():
    global node
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url, settings=["http.asks_inflight_max=2", "server.io_threads=1"]).start()
    try:
        return run_tests([requests, streams, models, appends_and_gauges, bounded_asks, documented])
    finally:
        node.stop()
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(main())
