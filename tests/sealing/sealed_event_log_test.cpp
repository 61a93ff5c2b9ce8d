#include "sealing/sealed_event_log.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/codes.hpp"
#include "memory/item.hpp"
#include "memory/knowledge.hpp"
#include "memory/vectors.hpp"
#include "outbox/dead_letters.hpp"
#include "storage/feedback_rows.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::storage;
using sealing::sealed_event_log;
namespace fs = std::filesystem;

namespace {

const std::string planted = "the words that nobody may find";

template <class T>
std::string_view code_of(const result<T>& r) {
  return r ? std::string_view() : r.error().code;
}

session_key key_of(const std::string& session, const std::string& tenant = "ann") {
  return {tenant_id(tenant), session_id(session)};
}

struct world {
  soma::testing::temp_folder folder{soma::testing::temp_folder::place::memory};
  std::unique_ptr<event_log> inner;
  std::unique_ptr<security::tenant_keys> keys;
  std::unique_ptr<event_log> log;

  explicit world(bool seals = true) { open(seals); }
  void open(bool seals) {
    log.reset();
    inner.reset();
    store_options options;
    options.data_dir = folder / "data";
    options.min_free_bytes = 0;
    options.unsafe_no_fsync = true;
    inner = open_rocksdb_event_log(options).value();
    keys =
        security::tenant_keys::open({folder / "keys", {secret_string(std::string(32, 'w'))}, seals})
            .value();
    log = std::make_unique<sealed_event_log>(*inner, *keys);
  }

  // With texts in all that takes one.
  append_op op_of(const session_key& key, std::uint64_t before, std::string text = planted) {
    append_op op;
    op.key = key;
    op.expected_seq = before;
    op.events.push_back({before + 1, event_type::app_event, "{\"text\":\"" + text + "\"}"});
    op.info = session_info{};
    op.info->title = "Title: " + text;
    op.info->created_at_ms = 1'700'000'000'000;
    op.info->updated_at_ms = 1'700'000'000'000 + static_cast<std::int64_t>(before);
    idempotency_record record;
    record.key = key.tenant.value + "\nu\nsend\n\n" + key.session.value + std::to_string(before);
    record.request_hash = "hash of " + text;
    record.response_json = "{\"answer\":\"" + text + "\"}";
    record.created_at_ms = 1;
    op.idempotency.push_back(record);
    op.documents.push_back({"memory", key.tenant.value + "\ns\nid", "{\"text\":\"" + text + "\"}"});
    op.snapshot = "snapshot of " + text;
    return op;
  }
  void append(const session_key& key, std::uint64_t before, std::string text = planted) {
    const auto op = op_of(key, before, std::move(text));
    REQUIRE(log->commit({&op, 1}).front());
  }
  std::string bytes_on_disk() {
    inner.reset();  // to the disk with all of it
    std::string all;
    for (const auto& one : fs::recursive_directory_iterator(folder.path())) {
      if (!one.is_regular_file()) continue;
      std::ifstream in(one.path(), std::ios::binary);
      all.append(std::istreambuf_iterator<char>(in), {});
    }
    return all;
  }
};

}  // namespace

TEST_CASE("sealing: the collections that are sealed are those of memory, feedback and the outbox") {
  for (const auto name :
       {memory::item_collection, memory::vector_collection, memory::document_collection,
        feedback_collection, outbox::dead_letter_collection})
    CHECK(sealing::sealed_collection(name));
  for (const auto name : {"keys", "users", "attachments", "memory.ids"})
    CHECK_FALSE(sealing::sealed_collection(name));
}

TEST_CASE("sealing: what was said is read as it was, and is nowhere on the disk") {
  world w;
  const auto key = key_of("s");
  w.append(key, 0);
  w.append(key, 1);
  const auto page = w.log->read(key, {}).value();
  REQUIRE(page.events.size() == 2);
  CHECK(page.events[1].json == "{\"text\":\"" + planted + "\"}");
  CHECK(w.log->head(key)->info.title == "Title: " + planted);
  CHECK(**w.log->snapshot(key) == "snapshot of " + planted);
  const auto record = w.log->find_idempotency("ann\nu\nsend\n\ns0").value();
  REQUIRE(record);
  CHECK(record->request_hash == "hash of " + planted);
  CHECK(record->response_json == "{\"answer\":\"" + planted + "\"}");
  CHECK(**w.log->get_document("memory", "ann\ns\nid") == "{\"text\":\"" + planted + "\"}");
  CHECK(w.log->list_documents("memory", "ann\n", 10).value().front().second ==
        "{\"text\":\"" + planted + "\"}");
  const encoded_event staged{1, event_type::app_event, "{\"staged\":\"" + planted + "\"}"};
  REQUIRE(w.log->stage(key_of("staged"), {&staged, 1}));
  CHECK(w.bytes_on_disk().find("nobody may find") == std::string::npos);
}

TEST_CASE("sealing: lists find titles by their words, and page as before") {
  world w;
  for (int n = 0; n < 20; ++n)
    w.append(key_of("s" + std::to_string(n)), 0, n % 3 == 0 ? "of apples" : "of pears");
  session_list_options options;
  options.query = "APPLES";
  options.limit = 3;
  std::size_t found = 0, pages = 0;
  do {
    const auto page = w.log->list(tenant_id("ann"), options).value();
    for (const auto& row : page.sessions) CHECK(row.head.info.title == "Title: of apples");
    found += page.sessions.size();
    options.cursor = page.next_cursor;
    ++pages;
  } while (!options.cursor.empty());
  CHECK(found == 7);
  CHECK(pages == 3);
}

TEST_CASE("sealing: who says what he read is refused where it is another by now, and only then") {
  world w;
  const std::string id = "ann\ns\nid";
  REQUIRE(w.log->put_document("memory", id, "1"));
  row_batch made;
  made.expected = {{"memory", id, "1"}};
  made.documents = {{"memory", id, "2"}};
  CHECK(w.log->write_rows(made).value());
  CHECK_FALSE(w.log->write_rows(made).value());
  CHECK(w.log->get_document("memory", id).value() == "2");
  made.expected = {{"memory", "ann\ns\nother", "1"}};
  CHECK_FALSE(w.log->write_rows(made).value());
}

TEST_CASE("sealing: rows that were swapped or changed are damage") {
  world w;
  const auto key = key_of("s"), other = key_of("s", "bob");
  w.append(key, 0);
  w.append(key, 1);
  w.append(other, 0);
  const auto raw = w.inner->read(key, {}).value();
  const auto put_back = [&](const session_key& as, std::uint64_t before, std::string json) {
    append_op op;
    op.key = as;
    op.expected_seq = before;
    op.events.push_back({before + 1, event_type::app_event, std::move(json)});
    REQUIRE(w.inner->commit({&op, 1}).front());
    read_options from;
    from.after_seq = before;
    return code_of(w.log->read(as, from));
  };
  CHECK(put_back(key, 2, raw.events[0].json) == codes::storage_corrupt);          // another place
  CHECK(put_back(key_of("z"), 0, raw.events[0].json) == codes::storage_corrupt);  // session
  CHECK(put_back(other, 1, raw.events[1].json) == codes::storage_corrupt);        // tenant
  auto changed = raw.events[0].json;
  changed[2] = static_cast<char>(changed[2] ^ 1);
  CHECK(put_back(key_of("y"), 0, changed) == codes::storage_corrupt);
  const auto item = w.inner->get_document("memory", "ann\ns\nid").value();
  REQUIRE(w.inner->put_document("memory", "ann\ns\nother", *item));
  CHECK(code_of(w.log->get_document("memory", "ann\ns\nother")) == codes::storage_corrupt);
  // In a list it is no reason to show nothing of anybody.
  const auto listed = w.log->list_documents("memory", "", 10).value();
  REQUIRE(listed.size() == 2);
  CHECK(listed[0].first == "ann\ns\nid");
  CHECK(listed[1].first == "bob\ns\nid");
  CHECK(w.log->list_documents("memory", "", 1, "ann\ns\nid").value().size() == 1);
}

TEST_CASE("sealing: it is switched on for a store that is there, and off again") {
  world w(false);
  w.append(key_of("before"), 0, "plain words");
  CHECK_FALSE(fs::exists(w.folder / "keys"));
  w.open(true);
  w.append(key_of("before"), 1, "sealed words");
  w.open(false);
  w.append(key_of("before"), 2, "plain again");
  // One that only looks sealed is given back as it came.
  std::string odd = "odd";
  security::value_key(secret_string(std::string(32, 'x'))).seal(odd, "");
  w.append(key_of("odd"), 0, odd);
  CHECK(w.log->head(key_of("odd"))->info.title == "Title: " + odd);
  w.open(true);
  const auto page = w.log->read(key_of("before"), {}).value();
  REQUIRE(page.events.size() == 3);
  CHECK(page.events[0].json == "{\"text\":\"plain words\"}");
  CHECK(page.events[1].json == "{\"text\":\"sealed words\"}");
  CHECK(page.events[2].json == "{\"text\":\"plain again\"}");
  const auto bytes = w.bytes_on_disk();
  CHECK(bytes.find("plain words") != std::string::npos);
  CHECK(bytes.find("sealed words") == std::string::npos);
}

TEST_CASE("sealing: an event as large as may be is taken, and none that is larger") {
  world w;
  auto op = w.op_of(key_of("s"), 0);
  // The inner log of a node has room for the overhead; this one has not.
  op.events[0].json = std::string(900 * 1024 - security::seal_overhead_bytes, 'x');
  CHECK(w.log->commit({&op, 1}).front());
  op = w.op_of(key_of("t"), 0);
  op.events[0].json = std::string(900 * 1024, 'x');
  CHECK(code_of(w.log->commit({&op, 1}).front()) == codes::event_too_large);
}

TEST_CASE("sealing: of an erased tenant there is nothing, and others notice nothing") {
  world w;
  for (const auto* tenant : {"ann", "bob"}) {
    auto op = w.op_of(key_of("s", tenant), 0);
    op.info->busy = true;
    op.documents.push_back({"memory.ids", std::string(tenant) + "\nid", "s"});
    REQUIRE(w.log->commit({&op, 1}).front());
  }
  REQUIRE(w.keys->erase(tenant_id("ann"), 1));
  const auto gone = codes::tenant_erased;
  const auto key = key_of("s");
  CHECK(code_of(w.log->head(key)) == gone);
  CHECK(code_of(w.log->read(key, {})) == gone);
  CHECK(code_of(w.log->list(key.tenant, {})) == gone);
  CHECK(code_of(w.log->snapshot(key)) == gone);
  CHECK(code_of(w.log->find_idempotency("ann\nu\nsend\n\ns0")) == gone);
  CHECK(code_of(w.log->stage(key_of("new"), {})) == gone);
  CHECK(code_of(w.log->put_document("memory", "ann\ns\nx", "y")) == gone);
  CHECK_FALSE(w.log->get_document("memory", "ann\ns\nid").value());
  for (const auto* collection : {"memory", "memory.ids"}) {
    const auto left = w.log->list_documents(collection, "", 1).value();
    REQUIRE(left.size() == 1);  // a page is filled with what there is behind hers
    CHECK(left[0].first.starts_with("bob"));
  }
  CHECK(w.log->tenants().value() == std::vector{tenant_id("bob")});
  CHECK(w.log->busy_sessions().value().size() == 1);
  const std::vector<append_op> both{w.op_of(key, 1), w.op_of(key_of("s", "bob"), 1)};
  const auto done = w.log->commit(both);
  CHECK(code_of(done[0]) == gone);
  CHECK(done[1]);
}

TEST_CASE("sealing: rows of an erased tenant among others' are left out, and others' are written") {
  world w;
  w.append(key_of("s", "bob"), 0);
  w.append(key_of("s"), 0);
  REQUIRE(w.keys->erase(tenant_id("ann"), 1));
  const std::vector<std::pair<std::string, std::string>> both{{"ann\ns\n1", "hers"},
                                                              {"bob\ns\n1", "his"}};
  REQUIRE(w.log->put_documents("memory", both));
  CHECK(**w.log->get_document("memory", "bob\ns\n1") == "his");
  CHECK_FALSE(w.inner->get_document("memory", "ann\ns\n1").value());
  const std::vector<document_change> changes{{"ann\ns\n2", "hers"}, {"bob\ns\n2", "his"}};
  REQUIRE(w.log->change_documents("memory", changes));
  CHECK(**w.log->get_document("memory", "bob\ns\n2") == "his");
  row_batch rows;
  rows.documents = {{"memory", "ann\ns\n3", "hers"}, {"memory", "bob\ns\n3", "his"}};
  rows.outbox.push_back({"sink", "payload"});
  REQUIRE(w.log->write_rows(rows));
  CHECK(**w.log->get_document("memory", "bob\ns\n3") == "his");
  CHECK_FALSE(w.inner->get_document("memory", "ann\ns\n3").value());
  rows.documents.pop_back();
  CHECK(code_of(w.log->write_rows(rows)) == codes::tenant_erased);  // hers alone: she is told
}

TEST_CASE(
    "sealing: an answer that was kept in the clear is not given out once its tenant is erased") {
  world w(false);
  w.append(key_of("s"), 0);
  w.open(true);
  REQUIRE(w.log->find_idempotency("ann\nu\nsend\n\ns0").value());
  REQUIRE(w.keys->erase(tenant_id("ann"), 1));
  CHECK(code_of(w.log->find_idempotency("ann\nu\nsend\n\ns0")) == codes::tenant_erased);
}
