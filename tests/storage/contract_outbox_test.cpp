// The outbox as both stores keep it.
#include "storage/event_log_contract.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;

namespace {

using strings = std::vector<std::string>;

append_op with_rows(std::string session, std::uint64_t expected_seq, std::vector<outbox_row> rows) {
  auto op = append_of(key_of(std::move(session)), expected_seq);
  op.outbox = std::move(rows);
  return op;
}

strings payloads(const outbox_page& page) {
  strings out;
  for (const auto& row : page.rows) out.push_back(row.payload);
  return out;
}

}  // namespace

TEST_CASE_TEMPLATE("outbox: a sink reads its rows alone, in their order, behind a number", store,
                   SOMA_EVENT_LOGS) {
  store s;
  REQUIRE(commit_one(s.log, with_rows("a", 0, {{"one", "1"}, {"two", "x"}, {"one", "2"}})));
  REQUIRE(commit_one(s.log, with_rows("b", 0, {{"one", "3"}})));
  const auto all = s.log.read_outbox("one", 0, 10);
  REQUIRE(all);
  CHECK(payloads(*all) == strings{"1", "2", "3"});
  CHECK(all->end);
  CHECK(all->rows[0].number < all->rows[1].number);
  const auto rest = s.log.read_outbox("one", all->rows[0].number, 10);
  CHECK(payloads(*rest) == strings{"2", "3"});
  CHECK(payloads(*s.log.read_outbox("none", 0, 10)).empty());
  CHECK(payloads(*s.log.read_outbox("on", 0, 10)).empty());
}

TEST_CASE_TEMPLATE("outbox: a page is bounded, also by what is others'", store, SOMA_EVENT_LOGS) {
  store s;
  std::vector<outbox_row> rows(40, {"other", "x"});
  rows.push_back({"mine", "1"});
  rows.push_back({"mine", "2"});
  rows.push_back({"mine", "3"});
  REQUIRE(commit_one(s.log, with_rows("a", 0, rows)));
  strings found;
  std::uint64_t after = 0;
  std::size_t pages = 0;
  for (bool end = false; !end; ++pages) {
    const auto page = s.log.read_outbox("mine", after, 2);
    REQUIRE(page);
    CHECK(page->rows.size() <= 2);
    for (const auto& row : page->rows) found.push_back(row.payload);
    after = page->scanned;
    end = page->end;
  }
  CHECK(found == strings{"1", "2", "3"});
  CHECK(pages > 2);
}

TEST_CASE_TEMPLATE("outbox: what is done is deleted, and no other sink's", store, SOMA_EVENT_LOGS) {
  store s;
  REQUIRE(commit_one(s.log, with_rows("a", 0, {{"one", "1"}, {"two", "x"}, {"one", "2"}})));
  const auto all = s.log.read_outbox("one", 0, 10);
  REQUIRE(s.log.delete_outbox("one", {all->rows[0].number, all->rows[0].number + 1, 999}));
  CHECK(payloads(*s.log.read_outbox("one", 0, 10)) == strings{"2"});
  CHECK(payloads(*s.log.read_outbox("two", 0, 10)) == strings{"x"});
  REQUIRE(s.log.delete_outbox("one", {}));
}

TEST_CASE_TEMPLATE("outbox: documents of several collections and rows come together", store,
                   SOMA_EVENT_LOGS) {
  store s;
  row_batch first;
  first.documents = {{"c1", "k", "v1"}, {"c2", "k", "v2"}};
  first.outbox = {{"one", "made"}};
  CHECK(s.log.write_rows(first).value());
  CHECK(s.log.get_document("c1", "k").value() == "v1");
  CHECK(s.log.get_document("c2", "k").value() == "v2");
  row_batch second;
  second.expected = {{"c1", "k"}};
  second.deleted = {{"c1", "k"}};
  second.documents = {{"c2", "k", "v3"}};
  second.outbox = {{"one", "changed"}};
  CHECK(s.log.write_rows(second).value());
  CHECK_FALSE(s.log.get_document("c1", "k").value());
  CHECK(s.log.get_document("c2", "k").value() == "v3");
  // What is not there any more does not come back, and nothing of the batch does.
  CHECK_FALSE(s.log.write_rows(second).value());
  CHECK(payloads(*s.log.read_outbox("one", 0, 10)) == strings{"made", "changed"});
  CHECK(s.log.write_rows({}).value());
}

TEST_CASE_TEMPLATE("outbox: who says what he read is refused where it is another by now", store,
                   SOMA_EVENT_LOGS) {
  store s;
  REQUIRE(s.log.put_document("c", "k", "1"));
  row_batch made;
  made.expected = {{"c", "k", "1"}};
  made.documents = {{"c", "k", "2"}};
  CHECK(s.log.write_rows(made).value());
  CHECK_FALSE(s.log.write_rows(made).value());
  CHECK(s.log.get_document("c", "k").value() == "2");
  row_batch beside;  // that it is there has to do
  beside.expected = {{"c", "k"}};
  beside.documents = {{"c", "other", "x"}};
  CHECK(s.log.write_rows(beside).value());
  CHECK(s.log.get_document("c", "k").value() == "2");
}

TEST_CASE_TEMPLATE("outbox: documents come with the answer that is kept for a key, once", store,
                   SOMA_EVENT_LOGS) {
  store s;
  row_batch batch;
  batch.documents = {{"c1", "k", "v1"}};
  batch.outbox = {{"one", "made"}};
  batch.idempotency = {{"key", "hash", 201, "{}", 1'000, 500}};
  CHECK(s.log.write_rows(batch).value());
  CHECK(s.log.find_idempotency("key").value()->status == 201);
  batch.documents = {{"c1", "k", "v2"}};
  batch.idempotency[0].created_at_ms = 1'400;
  const auto again = s.log.write_rows(batch);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == codes::idempotency_exists);
  CHECK(s.log.get_document("c1", "k").value() == "v1");
  CHECK(s.log.read_outbox("one", 0, 10).value().rows.size() == 1);
  if constexpr (!store::keys_age_by_records) return;
  // One that is too old makes way.
  batch.idempotency[0].created_at_ms = 1'500;
  CHECK(s.log.write_rows(batch).value());
  CHECK(s.log.get_document("c1", "k").value() == "v2");
}

TEST_CASE_TEMPLATE("outbox: who listens is told of the last row of each commit", store,
                   SOMA_EVENT_LOGS) {
  store s;
  std::vector<std::uint64_t> told;
  s.log.on_outbox([&](std::uint64_t last) { told.push_back(last); });
  REQUIRE(commit_one(s.log, with_rows("a", 0, {{"one", "1"}, {"one", "2"}})));
  REQUIRE(commit_one(s.log, append_of(key_of("a"), 1)));
  row_batch batch;
  batch.outbox = {{"one", "3"}};
  REQUIRE(s.log.write_rows(batch));
  const auto all = s.log.read_outbox("one", 0, 10);
  CHECK(told == std::vector{all->rows[1].number, all->rows[2].number});
  s.log.on_outbox({});
  REQUIRE(s.log.write_rows(batch));
  CHECK(told.size() == 2);
}
