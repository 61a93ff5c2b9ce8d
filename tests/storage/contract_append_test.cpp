// What a commit promises, of both logs.
#include "event_log_contract.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;

TEST_CASE_TEMPLATE("log: a session begins with seq 1 and grows by one", store, SOMA_EVENT_LOGS) {
  store s;
  const auto key = key_of("a");
  CHECK(code_of(s.log.head(key)) == codes::session_not_found);
  CHECK(code_of(s.log.read(key, {})) == codes::session_not_found);
  CHECK(commit_one(s.log, append_of(key, 0, 2)).value() == 2);
  CHECK(commit_one(s.log, append_of(key, 2)).value() == 3);
  const auto page = page_of(s.log, key);
  CHECK(seqs_of(page) == numbers{1, 2, 3});
  CHECK(page.end);
  CHECK(page.events[1].json == event_of(2).json);
  CHECK(page.events[1].type == event_type::app_event);
  CHECK(page.events[1].id == event_id{s.log.epoch_of(key), 2});
  const auto head = s.log.head(key).value();
  CHECK(head.seq == 3);
  CHECK(head.first_seq == 1);
  CHECK(head.last_id() == event_id{s.log.epoch_of(key), 3});
  CHECK(head.epoch_of(3) == s.log.epoch_of(key));
  CHECK(head.epoch_of(4) == 0);
}

TEST_CASE_TEMPLATE("log: an append that expects another head is refused", store, SOMA_EVENT_LOGS) {
  store s;
  const auto key = key_of("a");
  CHECK(code_of(commit_one(s.log, append_of(key, 1))) == codes::session_head_mismatch);
  REQUIRE(commit_one(s.log, append_of(key, 0, 3)));
  for (const std::uint64_t wrong : {0, 2, 4}) {
    CAPTURE(wrong);
    CHECK(code_of(commit_one(s.log, append_of(key, wrong))) == codes::session_head_mismatch);
  }
  CHECK(seqs_of(page_of(s.log, key)) == numbers{1, 2, 3});
}

TEST_CASE_TEMPLATE("log: a session cannot begin without an event", store, SOMA_EVENT_LOGS) {
  store s;
  auto op = append_of(key_of("a"), 0, 0);
  op.info = info_of("nothing", 1);
  CHECK(code_of(commit_one(s.log, op)) == codes::session_not_found);
  CHECK(code_of(s.log.head(op.key)) == codes::session_not_found);
  CHECK(s.log.list(tenant_id("t"), {})->sessions.empty());
}

TEST_CASE_TEMPLATE("log: a refused append hinders no other of its batch", store, SOMA_EVENT_LOGS) {
  store s;
  REQUIRE(commit_one(s.log, append_of(key_of("b"), 0, 2)));
  auto late = append_of(key_of("b"), 1);
  late.info = info_of("late", 9, true);
  late.idempotency.push_back({"key", "hash", 202, "{}", 1});
  late.outbox.push_back({"kafka", "late"});
  const std::vector<append_op> batch = {append_of(key_of("a"), 0), late, append_of(key_of("c"), 0)};
  const auto results = s.log.commit(batch);
  REQUIRE(results.size() == 3);
  CHECK(results[0].value() == 1);
  CHECK(code_of(results[1]) == codes::session_head_mismatch);
  CHECK(results[2].value() == 1);
  CHECK(seqs_of(page_of(s.log, key_of("a"))) == numbers{1});
  CHECK(seqs_of(page_of(s.log, key_of("c"))) == numbers{1});
  // Of the refused one there is nothing.
  CHECK(seqs_of(page_of(s.log, key_of("b"))) == numbers{1, 2});
  CHECK(s.log.head(key_of("b"))->info == session_info{});
  CHECK(s.log.busy_sessions()->empty());
  CHECK_FALSE(s.log.find_idempotency("key")->has_value());
  CHECK(s.log.stats().outbox_rows == 0);
}

TEST_CASE_TEMPLATE("log: appends of one session in one batch chain", store, SOMA_EVENT_LOGS) {
  store s;
  const auto key = key_of("a");
  std::vector<append_op> batch = {append_of(key, 0, 2), append_of(key, 1), append_of(key, 2)};
  auto results = s.log.commit(batch);
  CHECK(results[0].value() == 2);
  CHECK(code_of(results[1]) == codes::session_head_mismatch);
  CHECK(results[2].value() == 3);

  SUBCASE("also over its removal: what follows is a new session") {
    auto gone = append_of(key, 3);
    gone.remove = true;
    batch = {gone, append_of(key, 4), append_of(key, 0)};
    results = s.log.commit(batch);
    CHECK(results[0].value() == 4);
    CHECK(code_of(results[1]) == codes::session_head_mismatch);
    if constexpr (store::ids_come_again) {
      CHECK(results[2].value() == 1);
      CHECK(seqs_of(page_of(s.log, key)) == numbers{1});
    } else {
      CHECK(code_of(results[2]) == codes::session_head_mismatch);
      CHECK(code_of(s.log.head(key)) == codes::session_not_found);
    }
  }
  SUBCASE("also over its reset") {
    auto reset = append_of(key, 3);
    reset.first_seq = 4;
    batch = {reset, append_of(key, 4)};
    results = s.log.commit(batch);
    CHECK(results[1].value() == 5);
    CHECK(seqs_of(page_of(s.log, key)) == numbers{4, 5});
  }
}

TEST_CASE_TEMPLATE("log: records and outbox rows come with their append", store, SOMA_EVENT_LOGS) {
  store s;
  auto op = append_of(key_of("a"), 0);
  const idempotency_record record{"t\x1f/v1/x\x1fk", "hash", 202, "{\"answer\":42}", 1234};
  op.idempotency.push_back(record);
  op.outbox = {{"kafka", "one"}, {"audit", "two"}};
  REQUIRE(commit_one(s.log, op));
  const auto found = s.log.find_idempotency(record.key).value();
  REQUIRE(found);
  CHECK(found->key == record.key);
  CHECK(found->request_hash == "hash");
  CHECK(found->status == 202);
  CHECK(found->response_json == record.response_json);
  if constexpr (store::keys_age_by_records) CHECK(found->created_at_ms == 1234);
  CHECK_FALSE(s.log.find_idempotency("t\x1f/v1/x\x1f")->has_value());
  CHECK(s.log.stats().outbox_rows == 2);
  CHECK(s.log.stats().events == 1);
}

TEST_CASE_TEMPLATE("log: an event above the limit is refused whole", store, SOMA_EVENT_LOGS) {
  store s;
  auto op = append_of(key_of("a"), 0, 2);
  op.events[1].json.assign(event_bytes_max + 1, ' ');
  CHECK(code_of(commit_one(s.log, op)) == codes::event_too_large);
  CHECK(code_of(s.log.head(op.key)) == codes::session_not_found);
  op.events[1].json.pop_back();
  CHECK(commit_one(s.log, op).value() == 2);
  CHECK(page_of(s.log, op.key).events[1].json.size() == event_bytes_max);
}

TEST_CASE_TEMPLATE("log: an append without events changes the entry alone", store,
                   SOMA_EVENT_LOGS) {
  store s;
  auto op = append_of(key_of("a"), 0, 3);
  op.info = session_info{"first", "persona", "user", 5, 6, 7, false, true};
  REQUIRE(commit_one(s.log, op));
  CHECK(s.log.head(op.key)->info == *op.info);
  op.events.clear();
  op.expected_seq = 3;
  op.info->title = "second";
  op.info->paused = true;
  op.compact_seq = 2;
  CHECK(commit_one(s.log, op).value() == 3);
  const auto head = s.log.head(op.key).value();
  CHECK(head.info == *op.info);
  CHECK(head.compact_seq == 2);
  CHECK(head.seq == 3);
  // And one that says nothing of the entry keeps it.
  REQUIRE(commit_one(s.log, append_of(op.key, 3)));
  CHECK(s.log.head(op.key)->info == *op.info);
  CHECK(s.log.head(op.key)->compact_seq == 2);
}

TEST_CASE_TEMPLATE("log: a reset keeps the id and the seq and drops the past", store,
                   SOMA_EVENT_LOGS) {
  store s;
  const auto key = key_of("a");
  REQUIRE(commit_one(s.log, append_of(key, 0, 5)));
  REQUIRE(commit_one(s.log, append_of(key_of("a1"), 0, 5)));
  auto reset = append_of(key, 5, 2);
  reset.first_seq = 7;  // the session.close at 6 goes, the new session.open stays
  REQUIRE(commit_one(s.log, reset));
  const auto head = s.log.head(key).value();
  CHECK(head.seq == 7);
  CHECK(head.first_seq == 7);
  CHECK(seqs_of(page_of(s.log, key)) == numbers{7});
  CHECK(seqs_of(page_of(s.log, key, {.after_seq = 2})) == numbers{7});
  CHECK(seqs_of(page_of(s.log, key, {.backwards = true})) == numbers{7});
  CHECK(seqs_of(page_of(s.log, key, {.after_seq = 2, .before_seq = 6})).empty());
  CHECK(page_of(s.log, key_of("a1")).events.size() == 5);
  REQUIRE(commit_one(s.log, append_of(key, 7)));
  CHECK(seqs_of(page_of(s.log, key)) == numbers{7, 8});
}

TEST_CASE_TEMPLATE("log: a removed session leaves nothing, its neighbours everything", store,
                   SOMA_EVENT_LOGS) {
  store s;
  // Ids that are prefixes of each other, in tenants that are.
  const std::vector<session_key> all = {key_of("s"),       key_of("s1"), key_of("s11"),
                                        key_of("s", "t1"), key_of("1s"), key_of("s\x01"),
                                        key_of("s\xff")};
  for (const auto& key : all) {
    auto op = append_of(key, 0, 3);
    op.info = info_of("title", 100, true);
    REQUIRE(commit_one(s.log, op));
  }
  for (std::size_t gone = 0; gone < all.size(); ++gone) {
    auto op = append_of(all[gone], 3);
    op.remove = true;
    CHECK(commit_one(s.log, op).value() == 4);
    CHECK(code_of(s.log.head(all[gone])) == codes::session_not_found);
    CHECK(code_of(s.log.read(all[gone], {})) == codes::session_not_found);
    CHECK(s.log.busy_sessions()->size() == all.size() - gone - 1);
    for (std::size_t kept = gone + 1; kept < all.size(); ++kept) {
      CHECK(seqs_of(page_of(s.log, all[kept])) == numbers{1, 2, 3});
      CHECK(s.log.head(all[kept])->info.title == "title");
    }
  }
  CHECK(s.log.tenants()->empty());
  CHECK(s.log.list(tenant_id("t"), {})->sessions.empty());
  if constexpr (!store::ids_come_again) {
    CHECK(code_of(commit_one(s.log, append_of(all[0], 0))) == codes::session_head_mismatch);
    CHECK(code_of(s.log.stage(all[0], std::vector{event_of(1)})) == codes::session_busy);
    return;
  }
  // The id may be used again, from the beginning.
  REQUIRE(commit_one(s.log, append_of(all[0], 0)));
  CHECK(seqs_of(page_of(s.log, all[0])) == numbers{1});
}

TEST_CASE_TEMPLATE("log: a session that begins and ends in one append never was", store,
                   SOMA_EVENT_LOGS) {
  store s;
  auto op = append_of(key_of("a"), 0, 2);
  op.info = info_of("title", 100, true);
  op.remove = true;
  CHECK(commit_one(s.log, op).value() == 2);
  CHECK(code_of(s.log.head(op.key)) == codes::session_not_found);
  CHECK(s.log.list(tenant_id("t"), {})->sessions.empty());
  CHECK(s.log.busy_sessions()->empty());
}

TEST_CASE_TEMPLATE("log: a commit of nothing does nothing", store, SOMA_EVENT_LOGS) {
  store s;
  CHECK(s.log.commit({}).empty());
  CHECK(s.log.stats().events == 0);
}

TEST_CASE_TEMPLATE("log: a key that is there refuses the whole append, whoever sends it", store,
                   SOMA_EVENT_LOGS) {
  store s;
  const auto with_key = [](const session_key& key, std::uint64_t after, std::int64_t at_ms,
                           std::string hash) {
    auto op = append_of(key, after);
    op.info = info_of("title", at_ms, true);
    op.idempotency.push_back({"key", std::move(hash), 202, "{}", at_ms});
    op.documents.push_back({"c", "d", "v"});
    op.outbox.push_back({"kafka", "row"});
    return op;
  };
  SUBCASE("after it was committed") {
    REQUIRE(commit_one(s.log, with_key(key_of("a"), 0, 1000, "first")));
    auto twin = with_key(key_of("a"), 1, 2000, "second");
    twin.idempotency.insert(twin.idempotency.begin(), {"other", "h", 202, "{}", 2000});
    const auto refused = commit_one(s.log, twin);
    CHECK(code_of(refused) == codes::idempotency_exists);
    CHECK(refused.error().parameter == "key");
    CHECK_FALSE(s.log.find_idempotency("other")->has_value());
  }
  SUBCASE("in the same batch, also for another session") {
    const std::vector<append_op> batch = {with_key(key_of("a"), 0, 1000, "first"),
                                          with_key(key_of("b"), 0, 1001, "second"),
                                          append_of(key_of("a"), 1)};
    const auto results = s.log.commit(batch);
    CHECK(results[0].value() == 1);
    CHECK(code_of(results[1]) == codes::idempotency_exists);
    CHECK(results[2].value() == 2);
    CHECK(code_of(s.log.head(key_of("b"))) == codes::session_not_found);
    CHECK(s.log.busy_sessions()->size() == 1);
  }
  SUBCASE("also where the head would refuse it") {
    REQUIRE(commit_one(s.log, with_key(key_of("a"), 0, 1000, "first")));
    CHECK(code_of(commit_one(s.log, with_key(key_of("a"), 0, 1000, "first"))) ==
          codes::idempotency_exists);
  }
  CHECK(s.log.find_idempotency("key").value()->request_hash == "first");
  CHECK(s.log.stats().outbox_rows == 1);
}

TEST_CASE_TEMPLATE("log: an answer and the documents that it made are kept together or not at all",
                   store, SOMA_EVENT_LOGS) {
  store s;
  const auto said = [](const char* hash) { return idempotency_record{"k", hash, 201, "{}", 1000}; };
  const std::vector<document_row> first = {{"keys", "a", "1"}, {"uses", "a", "2"}},
                                  second = {{"keys", "b", "3"}};
  REQUIRE(s.log.put_idempotency(said("first"), first));
  CHECK(code_of(s.log.put_idempotency(said("second"), second)) == codes::idempotency_exists);
  CHECK(s.log.find_idempotency("k").value()->request_hash == "first");
  CHECK(s.log.get_document("keys", "a").value() == "1");
  CHECK(s.log.get_document("uses", "a").value() == "2");
  CHECK_FALSE(s.log.get_document("keys", "b").value());
}

TEST_CASE_TEMPLATE("log: a refused append keeps no key, and an expired key gives way", store,
                   SOMA_EVENT_LOGS) {
  store s;
  auto stale = append_of(key_of("a"), 7);
  stale.idempotency.push_back({"key", "stale", 202, "{}", 1000});
  auto good = append_of(key_of("a"), 0);
  good.idempotency.push_back({"key", "good", 202, "{}", 1000});
  const std::vector<append_op> batch = {stale, good};
  const auto results = s.log.commit(batch);
  CHECK(code_of(results[0]) == codes::session_head_mismatch);
  CHECK(results[1].value() == 1);
  if constexpr (!store::keys_age_by_records) return;
  const auto later = [](std::int64_t at_ms) {
    return idempotency_record{"key", "later", 202, "{}", at_ms, 500};
  };
  CHECK(code_of(s.log.put_idempotency(later(1499))) == codes::idempotency_exists);
  CHECK(s.log.find_idempotency("key").value()->request_hash == "good");
  CHECK(s.log.put_idempotency(later(1500)));
  CHECK(s.log.find_idempotency("key").value()->request_hash == "later");
}
