#include "memory/knowledge.hpp"

#include "core/codes.hpp"
#include "memory/memory_world.hpp"
#include "storage/attachment_rows.hpp"

using namespace soma;
using namespace soma::memory;
using namespace soma::memory::testing;

namespace {

struct library : world {
  explicit library(memory_limits how = patient()) : world(how) {}
  knowledge shelf{*log, *kept, {50, true}, [this] { return ++now; }};

  static tools::document_to_keep document(std::string text, std::string id = "a1") {
    tools::document_to_keep what;
    what.tenant = tenant_id("t");
    what.user_id = "ada";
    what.attachment_id = std::move(id);
    what.filename = "report.pdf";
    what.content_type = "application/pdf";
    what.text = std::move(text);
    return what;
  }
  static std::string pages(std::size_t count) {
    std::string out;
    for (std::size_t i = 1; i <= count; ++i)
      out += "Page " + std::to_string(i) + " tells of the beacon number " + std::to_string(i) +
             "00.\f";
    return out;
  }
  std::size_t documents(std::string_view collection) {
    return log->list_documents(collection, {}, 10'000).value().size();
  }
};

}  // namespace

TEST_CASE_FIXTURE(library, "knowledge: a document is found by its words, with file and page") {
  const auto made = shelf.keep(document(pages(20)));
  REQUIRE(made);
  CHECK(made->passages == 20);
  CHECK_FALSE(made->again);
  CHECK_FALSE(made->cut);
  settle();
  search_question asked;
  asked.query = "which beacon is 1700?";
  const auto best = kept->search(by(), asked).value().items.at(0).what;
  CHECK(best.kind == "knowledge");
  CHECK(best.attachment_id == "a1");
  CHECK(best.owner == "ada");
  CHECK(best.place_json.find(R"("file":"report.pdf","page":17)") != std::string::npos);
  auto told = kept->recall(question("which beacon is 1700?")).value().items;
  REQUIRE_FALSE(told.empty());
  CHECK(told[0].place_json == best.place_json);
  CHECK(found("beacon 1700", by("ada", "other")).empty());
}

TEST_CASE_FIXTURE(library, "knowledge: what is kept is not kept twice, nor after an end midway") {
  REQUIRE(shelf.keep(document(pages(20))));
  const auto rows = documents(item_collection);
  const auto again = shelf.keep(document(pages(20)));
  REQUIRE(again);
  CHECK(again->again);
  CHECK(again->passages == 20);
  CHECK(documents(item_collection) == rows);
  CHECK(shelf.find(tenant_id("t"), "a1").value()->filename == "report.pdf");
  CHECK_FALSE(shelf.find(tenant_id("other"), "a1").value());
  // As a crash leaves it: begun, for more passages than there are now, and not done.
  REQUIRE(log->put_document(document_collection, "t\na2",
                            R"({"filename":"x","passages":5,"cut":false,"done":false})"));
  for (std::size_t i = 0; i < 5; ++i) {
    item left;
    left.memory_id = passage_id(tenant_id("t"), "a2", i);
    left.kind = "knowledge";
    left.text = "left over";
    storage::row_batch batch;
    add_item(batch.documents, tenant_id("t"), left);
    REQUIRE(log->write_rows(batch).value());
  }
  CHECK_FALSE(shelf.find(tenant_id("t"), "a2").value());
  CHECK(shelf.keep(document(pages(3), "a2")).value().passages == 3);
  CHECK(documents(item_collection) == rows + 3);
  settle();
  CHECK(found("left over").empty());
}

TEST_CASE_FIXTURE(library, "knowledge: with its attachment all of its passages go") {
  REQUIRE(shelf.keep(document(pages(20))));
  REQUIRE(shelf.keep(document("The beacon of another file.", "a2")));
  CHECK(documents(storage::attachment_collection) == 4);  // its uses: it does not expire
  REQUIRE(shelf.forget(tenant_id("t"), "a1"));
  settle();
  CHECK(found("beacon") == strings{"The beacon of another file."});
  CHECK(documents(item_collection) == 1);
  CHECK(documents(id_collection) == 1);
  CHECK(documents(document_collection) == 1);
  CHECK(documents(gone_document_collection) == 0);
  CHECK(documents(storage::attachment_collection) == 2);
  REQUIRE(shelf.forget(tenant_id("t"), "a1"));
  REQUIRE(shelf.forget(tenant_id("t"), "never"));
  // An end midway: the row is gone, the passages are not.
  REQUIRE(log->delete_document(document_collection, "t\na2"));
  REQUIRE(log->put_document(gone_document_collection, "t\na2", "1"));
  REQUIRE(shelf.forget(tenant_id("t"), "a2"));
  CHECK(documents(item_collection) == 0);
}

TEST_CASE_FIXTURE(library,
                  "knowledge: one document has so many passages, and a tenant so many items") {
  const auto cut = shelf.keep(document(pages(80)));
  REQUIRE(cut);
  CHECK(cut->passages == 50);
  CHECK(cut->cut);
  CHECK(shelf.keep(document(" \f \n", "blank")).value().passages == 0);
  CHECK_FALSE(shelf.find(tenant_id("t"), "blank").value());
  auto few = patient();
  few.items_max = 10;
  library small(few);
  CHECK(small.shelf.keep(document(pages(11))).error().code == codes::quota_exceeded);
  CHECK(small.documents(item_collection) == 0);
  CHECK(small.shelf.keep(document(pages(10))));
}

TEST_CASE("knowledge: passages count to the bytes of a tenant") {
  auto few = world::patient();
  few.bytes_max = 100;
  library small(few);
  const auto refused = small.shelf.keep(small.document(library::pages(10)));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().detail.find("memory.bytes_max") != std::string::npos);
  CHECK(small.documents(item_collection) == 0);
  CHECK(small.shelf.keep(small.document(library::pages(1))));
}

TEST_CASE_FIXTURE(library, "knowledge: the answer for a key is kept with the last passage") {
  auto what = document(pages(20));
  what.answer.key = "first";
  what.answer.hash = "hash";
  what.answer.created_at_ms = 1'000;
  what.answer.ttl_ms = 500;
  what.answer.made = [](const tools::kept_document& kept) {
    return std::pair(kept.again ? 200 : 201, std::to_string(kept.passages));
  };
  REQUIRE(shelf.keep(what));
  CHECK(log->find_idempotency("first").value()->response_json == "20");
  what.answer.key = "second";
  REQUIRE(shelf.keep(what));
  CHECK(log->find_idempotency("second").value()->status == 200);
  auto blank = document(" \f ", "blank");
  blank.answer = what.answer;
  blank.answer.key = "third";
  REQUIRE(shelf.keep(blank));
  CHECK(log->find_idempotency("third").value()->response_json == "0");
}

TEST_CASE_FIXTURE(library,
                  "knowledge: a passage that is forgotten leaves what was noted in its words") {
  REQUIRE(shelf.keep(document("The beacon is red.")));
  const auto noted = note("The beacon is red.");
  const auto id = passage_id(tenant_id("t"), "a1", 0);
  REQUIRE(kept->forget(by(), id, {}));
  CHECK(note("The beacon is red.").memory_id == noted.memory_id);
  CHECK(shelf.keep(document("The beacon is red.")).value().again);
  CHECK(kept->find(by(), id).error().code == codes::memory_not_found);
}

TEST_CASE_FIXTURE(library, "knowledge: documents are listed, and forgotten without their file") {
  auto in_chat = document(pages(3), "a2");
  in_chat.session_id = "s1";
  REQUIRE(shelf.keep(document(pages(20))));
  REQUIRE(shelf.keep(in_chat));
  auto page = shelf.list(by(), {}, 1).value();
  REQUIRE(page.documents.size() == 1);
  const auto one = page.documents[0];
  CHECK(one.attachment_id == "a1");
  CHECK(one.filename == "report.pdf");
  CHECK(one.owner == "ada");
  CHECK(one.session_id.empty());
  CHECK(one.passages == 20);
  CHECK(one.bytes > 20 * 30);
  CHECK(one.imported_at_ms > 1'700'000'000'000);
  page = shelf.list(by(), page.next_cursor, 1).value();
  CHECK(page.documents.at(0).attachment_id == "a2");
  CHECK(page.documents[0].session_id == "s1");
  CHECK(page.next_cursor.empty());
  CHECK(shelf.list(by("ada", "other"), {}, 10)->documents.empty());
  CHECK(shelf.list(by(), "a\nb", 1).error().code == codes::request_invalid_parameter);

  REQUIRE(kept->forget(by(), passage_id(tenant_id("t"), "a1", 4), {}));
  CHECK(shelf.forget_kept(by("ada", "other"), "a1").error().code == codes::memory_not_found);
  CHECK(shelf.forget_kept(by(), "a1").value() == 19);
  CHECK(shelf.forget_kept(by(), "a1").error().code == codes::memory_not_found);
  CHECK(shelf.forget_kept(by(), "a\nb").error().code == codes::memory_not_found);
  CHECK(shelf.list(by(), {}, 10)->documents.size() == 1);
  settle();
  CHECK(kept->status(tenant_id("t"))->stored == 3);
  // The file is no knowledge any more, and is looked at when it has had its time.
  const auto due = log->list_documents(storage::attachment_collection, "due\n", 10).value();
  REQUIRE(due.size() == 1);
  CHECK(due[0].first.ends_with("\nt\na1"));
  CHECK_FALSE(
      log->get_document(storage::attachment_collection, "by\nt\na1\n-").value().has_value());
  // It can be kept again, whole.
  CHECK_FALSE(shelf.keep(document(pages(20))).value().again);
  settle();
  CHECK(kept->status(tenant_id("t"))->stored == 23);
}

TEST_CASE_FIXTURE(library,
                  "knowledge: a page is full however many documents of others are between") {
  for (int n = 0; n < 12; ++n) {
    auto one = document("The beacon is red.", "a" + std::to_string(10 + n));
    if (n != 5 && n != 11) one.user_id = "other";
    REQUIRE(shelf.keep(one));
  }
  auto page = shelf.list(by(), {}, 1).value();
  REQUIRE(page.documents.size() == 1);
  CHECK(page.documents[0].attachment_id == "a15");
  CHECK(page.next_cursor == "a15");  // and names none of others
  page = shelf.list(by(), page.next_cursor, 1).value();
  REQUIRE(page.documents.size() == 1);
  CHECK(page.documents[0].attachment_id == "a21");
  CHECK(page.next_cursor.empty());
  page = shelf.list(by("other"), {}, 10).value();
  CHECK(page.documents.size() == 10);
  CHECK(page.next_cursor.empty());
}

TEST_CASE_FIXTURE(library, "knowledge: a page looks at so many documents, and says where it is") {
  knowledge::limits few;
  few.looked_at_max = 5;
  const knowledge short_sighted(*log, *kept, few, [] { return 1'700'000'000'001; });
  for (int n = 0; n < 12; ++n) {
    auto one = document("The beacon is red.", "a" + std::to_string(10 + n));
    if (n != 11) one.user_id = "other";
    REQUIRE(shelf.keep(one));
  }
  auto page = short_sighted.list(by(), {}, 3).value();
  CHECK(page.documents.empty());
  CHECK(page.next_cursor == "a14");
  page = short_sighted.list(by(), page.next_cursor, 3).value();
  CHECK(page.documents.empty());
  page = short_sighted.list(by(), page.next_cursor, 3).value();
  CHECK(page.documents.size() == 1);
  CHECK(page.next_cursor.empty());
}

TEST_CASE_FIXTURE(library,
                  "knowledge: what was being forgotten when the process ended is forgotten") {
  REQUIRE(shelf.keep(document(pages(20))));
  REQUIRE(shelf.keep(document(pages(3), "a2")));
  for (const char* id : {"a1", "a2"}) {
    REQUIRE(log->delete_document(document_collection, std::string("t\n") + id));
    REQUIRE(log->put_document(gone_document_collection, std::string("t\n") + id, "20"));
  }
  // One that is kept anew meanwhile stays.
  CHECK(shelf.keep(document(pages(2), "a2")).value().passages == 2);
  CHECK(documents(item_collection) == 22);
  CHECK(shelf.finish_forgetting().value() == 1);
  CHECK(documents(item_collection) == 2);
  CHECK(documents(gone_document_collection) == 0);
}

TEST_CASE_FIXTURE(library, "knowledge: SomaBrain hears of each passage, and that it went") {
  REQUIRE(shelf.keep(document(pages(3))));
  CHECK(log->read_outbox(brain_sink, 0, 100).value().rows.size() == 3);
  REQUIRE(shelf.forget(tenant_id("t"), "a1"));
  const auto rows = log->read_outbox(brain_sink, 0, 100).value().rows;
  REQUIRE(rows.size() == 6);
  CHECK(read_change(rows.back().payload).value().what == change::kind::gone);
}

TEST_CASE_FIXTURE(library, "knowledge: one document does not fill a recall") {
  std::string text;
  for (int i = 0; i < 12; ++i)
    text += "The beacon number " + std::to_string(i) + " of the beacon's beacon.\f";
  REQUIRE(shelf.keep(document(text)));
  say("s1", "g1", "Somebody saw a beacon in the far north of the old country yesterday");
  settle();
  auto asked = question("beacon");
  asked.items_max = 5;
  const auto told = kept->recall(asked).value().items;
  CHECK(
      std::any_of(told.begin(), told.end(), [](const auto& one) { return one.kind == "message"; }));
}
