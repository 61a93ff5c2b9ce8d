"""Knowledge: a document of 200 pages is imported, a question is answered with the page it stands on;
deleting the file deletes what was kept of it, and nothing is lost or kept twice by kill -9."""

import json
import os
import sys
import threading
import time
import urllib.parse
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from forms import upload
from node_under_test import ADMIN_KEY, Node, Rehearsal, run_tests, wait_until

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

    def of_type(self, session, kind):
        return [e for e in self.node.events(session) if e["type"] == kind]

    def answered(self, text):
        session = self.node.say(text)["session_id"]
        wait_until(lambda: self.of_type(session, "llm.complete"), what="the answer")
        return session


w = None


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
        return run_tests([answered_with_its_page, goes_with_its_file, asked_of_the_model, survives_kills])
    finally:
        w.stop()


if __name__ == "__main__":
    sys.exit(main())
