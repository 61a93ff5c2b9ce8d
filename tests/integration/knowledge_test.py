"""Knowledge: a document of 200 pages is imported, a question is answered with the page it stands on;
deleting the file deletes what was kept of it, and nothing is lost or kept twice by kill -9."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from forms import upload
from node_under_test import ADMIN_KEY, BIN, Node, Rehearsal, run_tests, wait_until

PLANTS = ("beech", "birch", "cedar", "elder", "hazel", "larch", "maple", "rowan", "thorn", "yew")


def pdf_of(pages):
    """A PDF with a list of lines a page, in Helvetica."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", None,
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for lines in pages:
        text = "BT /F1 11 Tf 14 TL 60 780 Td " + " ".join(
            "(" + line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)") + ") Tj T*"
            for line in lines) + " ET"
        objects.append(f"<< /Length {len(text)} >>\nstream\n{text}\nendstream")
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {len(objects)} "
                       "0 R /Resources << /Font << /F1 3 0 R >> >> >>")
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(kids)}] >>"
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    out += f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
    return out


def house(n):
    return PLANTS[n // 100] + PLANTS[n // 10 % 10] + PLANTS[n % 10]


def book():
    """200 pages with much that all of them have, and one thing that only one of each has."""
    pages = []
    for n in range(1, 201):
        lines = [f"The keeper of the house {house(n)} is called Warden{n * 7919 % 1000}x{n}."]
        for line in range(38):
            plant = PLANTS[(n + line) % 10]
            lines.append(f"In the valley there stands a {plant} beside the road, and its age is not known.")
        pages.append(lines)
    return pdf_of(pages)


class World:
    def __init__(self):
        self.rehearsal = Rehearsal()
        self.node = Node(self.rehearsal.base_url, ["memory.recall=true", "memory.write=false"])
        self.other = self.node.new_key("--tenant", "other", "--role", "admin")
        self.node.start()

    def stop(self):
        self.node.stop()
        self.rehearsal.stop()

    def upload(self, name, content):
        return upload(self.node, (name, content))[0]["id"]

    def keep(self, attachment, expect=201):
        return self.node.json("POST", "/v1/memory/import", {"attachment_id": attachment}, expect=expect)

    def knowledge(self, key=ADMIN_KEY):
        found, cursor = [], ""
        while True:
            _, _, text = self.node.request("GET", "/v1/memories?kind=knowledge&limit=200" + cursor, key=key)
            page = json.loads(text)
            found += page["memories"]
            if not page["next_cursor"]:
                return found
            cursor = "&cursor=" + page["next_cursor"]

    def documents(self):
        return self.node.json("GET", "/v1/memory/documents?limit=200", expect=200)["documents"]

    def of_type(self, session, kind):
        return [e for e in self.node.events(session) if e["type"] == kind]

    def answered(self, text):
        session = self.node.say(text)["session_id"]
        wait_until(lambda: self.of_type(session, "llm.complete"), what="the answer")
        return session


w = None


def quietly(work):
    try:
        work()
    except Exception:  # the server was killed meanwhile
        pass


def answered_with_its_page():
    """of 200 pages the right one is recalled before the model is asked, and its answer names it"""
    attachment = w.upload("book.pdf", book())
    began = time.monotonic()
    made = w.keep(attachment)
    print(f"  200 pages: {made['passages']} passages in {time.monotonic() - began:.2f} s")
    assert made["passages"] >= 200 and not made["truncated"], made
    assert w.keep(attachment, expect=200) == {**made, "again": True}
    wait_until(lambda: len(w.knowledge()) == made["passages"], what="all passages in the index", seconds=60)
    for page in (1, 87, 200):
        session = w.answered(f"Who is the keeper of the house {house(page)}?")
        recalled = w.of_type(session, "memory.recall")[0]["payload"]["items"]
        best = recalled[0]
        assert best["kind"] == "knowledge" and f"x{page}." in best["text"], best
        assert (best["place"]["file"], best["place"]["page"]) == ("book.pdf", page), best
        answer = w.of_type(session, "message.assistant")[-1]["payload"]["text"]
        assert f"(book.pdf, page {page})" in answer, answer
    found = w.node.json("GET", "/v1/memories/search?q=" + urllib.parse.quote("house " + house(86)), expect=200)
    assert found["memories"][0]["place"]["page"] == 86, found["memories"][0]
    assert w.knowledge(w.other) == []


def goes_with_its_file():
    """a deleted file's passages are in no list and no recall; another's stay"""
    gone, kept = w.upload("gone.md", b"# Moor\n\nThe gloaming otter."), w.upload("kept.md", b"A kept otter.")
    w.keep(gone)
    w.keep(kept)
    item = [m for m in w.knowledge() if m["attachment_id"] == gone][0]
    assert item["place"]["heading"] == "Moor", item
    assert w.node.request("DELETE", "/v1/attachments/" + gone)[0] == 204
    wait_until(lambda: {m["attachment_id"] for m in w.knowledge()} & {gone, kept} == {kept},
               what="the passages of the other file alone")
    assert w.node.request("GET", "/v1/memories/" + item["memory_id"])[0] == 404
    w.keep(gone, expect=410)


def listed_and_forgotten():
    """a document is listed and forgotten by the API and the terminal; its file stays and can be kept again"""
    attachment = w.upload("shelf.md", b"# Shelf\n\nThe quoll sleeps by day.\n\n# Floor\n\nThe quoll hunts by night.")
    w.keep(attachment)

    def soma(*command):
        return subprocess.run([os.path.join(BIN, "soma"), "memory", "documents", *command, "--url",
                               f"http://127.0.0.1:{w.node.port}",
                               "--key", ADMIN_KEY], capture_output=True, text=True)
    listed = soma("ls")
    assert listed.returncode == 0, listed.stderr
    [line] = [l for l in listed.stdout.splitlines() if l.startswith(attachment)]
    assert line.endswith("passages  shelf.md"), line
    removed = soma("rm", attachment)
    assert removed.returncode == 0 and json.loads(removed.stdout)["forgotten"] >= 1, (removed.stdout, removed.stderr)
    assert soma("rm", attachment).returncode == 1
    wait_until(lambda: attachment not in {m["attachment_id"] for m in w.knowledge()}, what="no passage of it")
    assert w.node.request("GET", "/v1/attachments/" + attachment)[0] == 200
    assert not w.keep(attachment)["again"]
    # Killed while it is forgotten it goes all the same.
    large = w.upload("large.pdf", book())
    w.keep(large)
    forgetting = threading.Thread(target=lambda: quietly(
        lambda: w.node.request("DELETE", "/v1/memory/documents/" + large)))
    forgetting.start()
    wait_until(lambda: large not in {d["attachment_id"] for d in w.documents()} or not forgetting.is_alive(),
               what="the beginning of the end")
    w.node.kill()
    forgetting.join()
    w.node.start()
    w.node.request("DELETE", "/v1/memory/documents/" + large)  # where nothing of it was done
    wait_until(lambda: large not in {m["attachment_id"] for m in w.knowledge()}, what="none of it", seconds=60)
    assert w.node.request("GET", "/v1/attachments/" + large)[0] == 200


def one_at_a_time():
    """the places of imports hold for a tool, too: what finds none is told so, and nothing of it is kept"""
    files = [w.upload(f"many{n}.pdf", book()) for n in range(3)]
    session = w.node.json("POST", "/v1/sessions", {}, expect=201)["session_id"]
    calls = [w.node.json("POST", "/v1/tool/request",
                         {"session_id": session, "tool_id": "document_ingest",
                          "inputs": {"attachment_id": one, "remember": True}}, expect=202)["tool_call_id"]
             for one in files]

    def results():
        return {e["payload"]["tool_call_id"]: e["payload"] for e in w.of_type(session, "tool.result")
                if e["payload"]["tool_call_id"] in calls}
    wait_until(lambda: len(results()) == len(calls), what="all results", seconds=120)
    kept = {one for one, call in zip(files, calls) if results()[call]["status"] == "success"}
    refused = [results()[call]["error"]["code"] for one, call in zip(files, calls) if one not in kept]
    assert set(refused) <= {"tool.busy"}, results()
    listed = {d["attachment_id"]: d for d in w.documents()}
    assert set(files) & set(listed) == kept, (files, kept)
    assert all(listed[one]["session_id"] == session for one in kept), listed


def asked_of_the_model():
    """told to remember what is attached, the model has document_ingest keep it"""
    attachment = w.upload("walrus.txt", b"The walrus is called Wenzel and lives on the ice.")
    session = w.node.json("POST", "/v1/session/message",
                          {"message": "Remember this file", "attachments": [{"id": attachment}]},
                          {"Idempotency-Key": str(uuid.uuid4())}, expect=202)["session_id"]
    wait_until(lambda: w.of_type(session, "llm.complete")[1:], what="the answer after the tool")
    results = [e["payload"] for e in w.of_type(session, "tool.result")]
    kept = [r for r in results if isinstance(r.get("output"), dict) and "remembered" in r["output"]]
    assert kept and kept[0]["output"]["remembered"]["passages"] == 1, results
    assert [m for m in w.knowledge() if m["attachment_id"] == attachment]
    asked = w.answered("What is the walrus called?")
    items = w.of_type(asked, "memory.recall")[0]["payload"]["items"]
    assert [i for i in items if i.get("place", {}).get("file") == "walrus.txt"], items


def survives_kills():
    """killed while it imports and while it deletes, it ends with all of a file or nothing of it"""
    attachment = w.upload("again.pdf", book())

    def import_it():
        try:
            w.keep(attachment)
        except Exception:  # killed meanwhile
            pass

    asking = threading.Thread(target=import_it)
    asking.start()
    wait_until(lambda: [m for m in w.knowledge() if m["attachment_id"] == attachment]
               or not asking.is_alive(), what="the first passages")
    w.node.kill()
    asking.join()
    w.node.start()
    status, _, text = w.node.request("POST", "/v1/memory/import", {"attachment_id": attachment})
    assert status in (200, 201), text
    passages = json.loads(text)["passages"]

    def mine():
        return [m["memory_id"] for m in w.knowledge() if m["attachment_id"] == attachment]
    wait_until(lambda: len(mine()) == passages, what="each passage once", seconds=60)
    assert len(set(mine())) == passages
    assert w.node.request("DELETE", "/v1/attachments/" + attachment)[0] == 204
    w.node.kill()
    w.node.start()
    wait_until(lambda: mine() == [], what="none of it", seconds=60)


def main():
    global w
    w = World()
    try:
        return run_tests([answered_with_its_page, goes_with_its_file, listed_and_forgotten, one_at_a_time,
                          asked_of_the_model, survives_kills])
    finally:
        w.stop()


if __name__ == "__main__":
    sys.exit(main())
