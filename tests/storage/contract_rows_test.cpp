// What the other rows promise, of both logs: idempotency records, staged copies, documents.
#include "event_log_contract.hpp"
#include "storage/documents.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;

TEST_CASE_TEMPLATE("log: idempotency records expire by age, so many a call", store,
                   SOMA_EVENT_LOGS) {
  store s;
  for (int n = 0; n < 10; ++n)
    REQUIRE(s.log.put_idempotency({"key" + std::to_string(n), "h", 200, "{}", 100 + n}));
  auto left = [&] {
    std::string names;
    for (int n = 0; n < 10; ++n)
      if (*s.log.find_idempotency("key" + std::to_string(n))) names += std::to_string(n);
    return names;
  };
  if constexpr (!store::keys_age_by_records) return;
  CHECK(s.log.expire_idempotency(100, 100).value() == 0);
  CHECK(s.log.expire_idempotency(103, 100).value() == 3);
  CHECK(left() == "3456789");
  CHECK(s.log.expire_idempotency(109, 2).value() == 2);  // the oldest first
  CHECK(left() == "56789");
  // One that was written anew is as young as its last writing.
  REQUIRE(s.log.put_idempotency({"key5", "h2", 200, "{}", 500, 100}));
  CHECK(s.log.expire_idempotency(200, 100).value() == 5);  // its older row among them
  CHECK(left() == "5");
  CHECK((*s.log.find_idempotency("key5"))->request_hash == "h2");
  CHECK(s.log.expire_idempotency(501, 100).value() == 1);
  CHECK(left().empty());
}

TEST_CASE_TEMPLATE("log: a snapshot is in the atom of its append, and goes with what it is of",
                   store, SOMA_EVENT_LOGS) {
  store s;
  const auto key = key_of("a");
  const auto kept = [&] { return s.log.snapshot(key).value().value_or("none"); };
  CHECK(kept() == "none");
  auto op = append_of(key, 0, 2);
  op.snapshot = "as of two";
  REQUIRE(commit_one(s.log, op));
  CHECK(kept() == "as of two");
  REQUIRE(commit_one(s.log, append_of(key, 2)));
  CHECK(kept() == "as of two");  // an append without one leaves it

  auto refused = append_of(key, 2);
  refused.snapshot = "of a log that is not";
  CHECK(code_of(commit_one(s.log, refused)) == codes::session_head_mismatch);
  CHECK(kept() == "as of two");

  auto alone = append_of(key, 3, 0);  // without events, as of a session that leaves memory
  alone.snapshot = std::string(100'000, 'x') + '\0';
  REQUIRE(commit_one(s.log, alone));
  CHECK(kept() == *alone.snapshot);
  CHECK(s.log.head(key)->seq == 3);
  CHECK(s.log.snapshot(key_of("a1")).value() == std::nullopt);
  CHECK(s.log.snapshot(key_of("a", "t1")).value() == std::nullopt);

  SUBCASE("removed with its session, and not there for the next of that name") {
    auto remove = append_of(key, 3);
    remove.remove = true;
    REQUIRE(commit_one(s.log, remove));
    CHECK(kept() == "none");
    if constexpr (!store::ids_come_again) return;
    REQUIRE(commit_one(s.log, append_of(key, 0)));
    CHECK(kept() == "none");
  }
  SUBCASE("a reset deletes it; one that comes with the reset stays") {
    auto reset = append_of(key, 3, 2);
    reset.first_seq = 5;
    REQUIRE(commit_one(s.log, reset));
    CHECK(kept() == "none");
    auto again = append_of(key, 5, 2);
    again.first_seq = 7;
    again.snapshot = "as of seven";
    REQUIRE(commit_one(s.log, again));
    CHECK(kept() == "as of seven");
  }
  SUBCASE("removed in one batch with an append that brings one") {
    auto append = append_of(key, 3), remove = append_of(key, 4);
    append.snapshot = "too late";
    remove.remove = true;
    const append_op ops[] = {append, remove};
    for (const auto& r : s.log.commit(ops)) REQUIRE(r);
    CHECK(kept() == "none");
  }
}

TEST_CASE_TEMPLATE("log: what is staged is invisible until it is published", store,
                   SOMA_EVENT_LOGS) {
  store s;
  const auto key = key_of("copy");
  const std::vector<encoded_event> first = {event_of(1), event_of(2)}, second = {event_of(3)};
  REQUIRE(s.log.stage(key, first));
  REQUIRE(s.log.stage(key, second));
  CHECK(code_of(s.log.head(key)) == codes::session_not_found);
  CHECK(code_of(s.log.read(key, {})) == codes::session_not_found);
  CHECK(s.log.list(key.tenant, {})->sessions.empty());
  CHECK(s.log.tenants()->empty());
  // Nobody else may use the id meanwhile.
  CHECK(code_of(commit_one(s.log, append_of(key, 0))) == codes::session_busy);
  CHECK(code_of(commit_one(s.log, append_of(key, 3))) == codes::session_busy);

  auto publish = append_of(key, 3);
  publish.publish_staged = true;
  publish.info = info_of("a copy", 5);
  SUBCASE("published: it is there at once, with what came along") {
    CHECK(commit_one(s.log, publish).value() == 4);
    CHECK(seqs_of(page_of(s.log, key)) == numbers{1, 2, 3, 4});
    const auto head = s.log.head(key).value();
    CHECK(head.epoch_of(1) == s.log.epoch_of(key));
    CHECK(head.info.title == "a copy");
    CHECK(sessions_of(*s.log.list(key.tenant, {})) == names{"copy"});
    CHECK(code_of(commit_one(s.log, publish)) == codes::session_busy);
    CHECK(code_of(s.log.stage(key, first)) == codes::session_busy);
    REQUIRE(commit_one(s.log, append_of(key, 4)));
  }
  SUBCASE("published without a further event") {
    publish.events.clear();
    CHECK(commit_one(s.log, publish).value() == 3);
    CHECK(seqs_of(page_of(s.log, key)) == numbers{1, 2, 3});
  }
  SUBCASE("published at a wrong seq: refused, and still staged") {
    auto wrong = append_of(key, 2);
    wrong.publish_staged = true;
    CHECK(code_of(commit_one(s.log, wrong)) == codes::session_head_mismatch);
    CHECK(commit_one(s.log, publish).value() == 4);
  }
  SUBCASE("discarded: as if it had never been") {
    REQUIRE(s.log.discard_staged(key));
    CHECK(code_of(commit_one(s.log, publish)) == codes::session_not_found);
    CHECK(commit_one(s.log, append_of(key, 0)).value() == 1);
    CHECK(seqs_of(page_of(s.log, key)) == numbers{1});
  }
  SUBCASE("published and removed in one batch with a new session of that id") {
    publish.remove = true;
    const std::vector<append_op> batch = {publish, append_of(key, 0)};
    const auto results = s.log.commit(batch);
    CHECK(results[0].value() == 4);
    if constexpr (!store::ids_come_again) return;
    CHECK(code_of(results[1]).empty());
    CHECK(seqs_of(page_of(s.log, key)) == numbers{1});
  }
}

TEST_CASE_TEMPLATE("log: staging refuses what an append would", store, SOMA_EVENT_LOGS) {
  store s;
  std::vector<encoded_event> large = {event_of(1), event_of(2)};
  large[1].json.assign(event_bytes_max + 1, ' ');
  CHECK(code_of(s.log.stage(key_of("a"), large)) == codes::event_too_large);
  CHECK(commit_one(s.log, append_of(key_of("a"), 0)).value() == 1);  // nothing was staged
  REQUIRE(s.log.stage(key_of("b"), {}));
  CHECK(commit_one(s.log, append_of(key_of("b"), 0)).value() == 1);
  REQUIRE(s.log.discard_staged(key_of("a")));  // a session that is none of its business
  CHECK(seqs_of(page_of(s.log, key_of("a"))) == numbers{1});
}

TEST_CASE_TEMPLATE("log: documents are kept by collection and key", store, SOMA_EVENT_LOGS) {
  store s;
  auto get = [&](const char* collection, const char* key) {
    return s.log.get_document(collection, key).value().value_or("-");
  };
  REQUIRE(s.log.put_document("keys", "a", "1"));
  REQUIRE(s.log.put_document("keys", "ab", "2"));
  REQUIRE(s.log.put_document("keys", "b", std::string("\0\xff", 2)));
  REQUIRE(s.log.put_document("key", "a", "other"));
  REQUIRE(s.log.put_document("keys2", "a", "other"));
  CHECK(get("keys", "a") == "1");
  CHECK(get("keys", "b") == std::string("\0\xff", 2));
  CHECK(get("keys", "c") == "-");
  using rows = std::vector<std::pair<std::string, std::string>>;
  CHECK(s.log.list_documents("keys", "a", 10).value() == rows{{"a", "1"}, {"ab", "2"}});
  CHECK(s.log.list_documents("keys", "", 10)->size() == 3);
  CHECK(s.log.list_documents("keys", "", 2)->size() == 2);
  CHECK(s.log.list_documents("keys", "", 0)->empty());
  CHECK(s.log.list_documents("none", "", 10)->empty());
  using documents = std::vector<std::pair<std::string, std::string>>;
  REQUIRE(s.log.put_documents("many", documents{{"x", "1"}, {"y", "2"}}));
  REQUIRE(s.log.put_documents("many", documents{{"y", "3"}, {"z", ""}}));
  REQUIRE(s.log.put_documents("many", documents{}));
  CHECK(s.log.list_documents("many", "", 10).value() == rows{{"x", "1"}, {"y", "3"}, {"z", ""}});
  CHECK(s.log.list_documents("many", "", 10, "x").value() == rows{{"y", "3"}, {"z", ""}});
  CHECK(s.log.list_documents("many", "", 1, "xx").value() == rows{{"y", "3"}});
  CHECK(s.log.list_documents("many", "y", 10, "a").value() == rows{{"y", "3"}});
  CHECK(s.log.list_documents("many", "y", 10, "y")->empty());
  CHECK(s.log.list_documents("many", "", 10, "z")->empty());
  REQUIRE(s.log.put_document("keys", "a", "3"));
  CHECK(get("keys", "a") == "3");
  REQUIRE(s.log.delete_document("keys", "a"));
  REQUIRE(s.log.delete_document("keys", "a"));
  CHECK(get("keys", "a") == "-");
  CHECK(get("key", "a") == "other");
}

TEST_CASE_TEMPLATE("log: documents are written and deleted together, and all of them are found",
                   store, SOMA_EVENT_LOGS) {
  store s;
  std::vector<document_change> changes;
  for (int n = 0; n < 2500; ++n) changes.push_back({"k" + std::to_string(10'000 + n), "v"});
  REQUIRE(s.log.change_documents("many", changes));
  REQUIRE(s.log.put_document("many", "l", "of another prefix"));
  const auto count = [&] {
    std::size_t rows = 0;
    std::string last;
    REQUIRE(each_document(s.log, "many", "k", [&](std::string& key, std::string& value) {
      CHECK(key > last);
      CHECK(value == "v");
      last = std::move(key);
      ++rows;
      return result<void>();
    }));
    return rows;
  };
  CHECK(count() == 2500);
  changes.resize(1000);
  for (auto& change : changes) change.value.reset();
  changes.push_back({"k0", "v"});
  changes.push_back({"never was", std::nullopt});
  REQUIRE(s.log.change_documents("many", changes));
  CHECK(count() == 1501);
  REQUIRE(s.log.change_documents("many", {}));
  const auto stopped = each_document(s.log, "many", "k", [](std::string&, std::string&) {
    return result<void>(error(codes::quota_exceeded, "enough"));
  });
  CHECK(stopped.error().code == codes::quota_exceeded);
}

TEST_CASE_TEMPLATE("log: documents of an append come with its events, or not at all", store,
                   SOMA_EVENT_LOGS) {
  store s;
  const auto key = key_of("a");
  auto op = append_of(key, 0);
  op.documents = {{"notes", "one", "1"}, {"other", "one", "2"}};
  REQUIRE(commit_one(s.log, op));
  CHECK(*s.log.get_document("notes", "one") == "1");
  CHECK(*s.log.get_document("other", "one") == "2");
  op.documents = {{"notes", "two", "1"}};
  CHECK(code_of(commit_one(s.log, op)) == codes::session_head_mismatch);
  CHECK_FALSE(*s.log.get_document("notes", "two"));
  auto removal = append_of(key, 1);
  removal.remove = true;
  removal.documents = {{"notes", "gone", key.session.value}};
  REQUIRE(commit_one(s.log, removal));
  CHECK(*s.log.get_document("notes", "gone") == "a");
}

TEST_CASE_TEMPLATE("log: an append takes documents away by the beginning of their keys", store,
                   SOMA_EVENT_LOGS) {
  store s;
  const auto key = key_of("a");
  using documents = std::vector<std::pair<std::string, std::string>>;
  REQUIRE(s.log.put_documents("said", documents{{"a\n", "0"}, {"a\n1", "1"}, {"a\xff", "2"}}));
  REQUIRE(s.log.put_documents("said", documents{{"a", "3"}, {"ab\n1", "4"}, {"b\n1", "5"}}));
  REQUIRE(s.log.put_document("saida", "a\n1", "6"));
  auto op = append_of(key, 7);
  op.gone = {{"said", "a\n"}};
  CHECK(code_of(commit_one(s.log, op)) == codes::session_head_mismatch);
  CHECK(s.log.list_documents("said", "", 10)->size() == 6);
  op.expected_seq = 0;
  op.events.front().seq = 1;
  op.documents = {{"said", "a\n2", "new"}};
  REQUIRE(commit_one(s.log, op));
  CHECK(s.log.list_documents("said", "a", 10).value() ==
        documents{{"a", "3"}, {"a\n2", "new"}, {"ab\n1", "4"}, {"a\xff", "2"}});
  CHECK(*s.log.get_document("said", "b\n1") == "5");
  CHECK(*s.log.get_document("saida", "a\n1") == "6");
}
