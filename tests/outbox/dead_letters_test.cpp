#include "outbox/dead_letters.hpp"

#include <doctest/doctest.h>

#include "core/codes.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::outbox;

namespace {

const tenant_id mine("t"), other("t2");

struct world {
  std::unique_ptr<storage::event_log> log = storage::make_memory_event_log();
  dead_letters kept{*log};
  world() { REQUIRE(kept.open()); }

  void give_up(std::uint64_t number, const std::string& sink = "one", const tenant_id& of = mine) {
    dead_letter row;
    row.sink = sink;
    row.payload = "row " + std::to_string(number);
    row.last_error = "refused";
    row.attempts = 8;
    row.first_at_ms = 5;
    row.last_at_ms = 9;
    REQUIRE(kept.keep(of, number, row));
  }
};

}  // namespace

TEST_CASE("dead letters are listed oldest first by page and sink and are a tenant's own") {
  world w;
  for (std::uint64_t n = 1; n <= 30; ++n) w.give_up(n, n % 10 == 0 ? "rare" : "one");
  w.give_up(99, "one", other);
  CHECK(w.kept.count() == 31);
  std::string cursor;
  std::vector<std::string> seen;
  do {
    const auto page = w.kept.list(mine, {}, cursor, 7).value();
    for (const auto& row : page.rows) seen.push_back(row.payload);
    cursor = page.next_cursor;
  } while (!cursor.empty());
  REQUIRE(seen.size() == 30);
  CHECK(seen.front() == "row 1");
  CHECK(seen.back() == "row 30");
  std::size_t rare = 0;
  do {
    const auto page = w.kept.list(mine, "rare", cursor, 1).value();
    rare += page.rows.size();
    cursor = page.next_cursor;
  } while (!cursor.empty());
  CHECK(rare == 3);
  CHECK(w.kept.list(mine, {}, "nonsense", 7).error().code == codes::request_invalid_parameter);
  const auto theirs = w.kept.list(other, {}, {}, 7).value().rows;
  REQUIRE(theirs.size() == 1);
  CHECK(w.kept.find(mine, theirs[0].id).error().code == codes::dlq_not_found);
  CHECK(w.kept.remove(mine, theirs[0].id).error().code == codes::dlq_not_found);
}

TEST_CASE("a dead letter that is sent again is a row of the outbox and no dead letter any more") {
  world w;
  w.give_up(7);
  w.give_up(7);  // a crash came between
  CHECK(w.kept.count() == 1);
  const auto row = w.kept.list(mine, {}, {}, 7).value().rows.at(0);
  CHECK(w.kept.find(mine, row.id).value() == row);
  REQUIRE(w.kept.requeue(mine, row.id));
  CHECK(w.kept.requeue(mine, row.id).error().code == codes::dlq_not_found);
  const auto waits = w.log->read_outbox("one", 0, 10).value().rows;
  REQUIRE(waits.size() == 1);
  CHECK(waits[0].payload == "row 7");
  CHECK(w.kept.count() == 0);
}

TEST_CASE("dead letters are counted again after a restart and can be thrown away") {
  world w;
  w.give_up(1);
  w.give_up(2);
  dead_letters again(*w.log);
  REQUIRE(again.open());
  CHECK(again.count() == 2);
  const auto row = again.list(mine, {}, {}, 1).value().rows.at(0);
  REQUIRE(again.remove(mine, row.id));
  CHECK(again.find(mine, row.id).error().code == codes::dlq_not_found);
  CHECK(again.count() == 1);
  CHECK(w.log->read_outbox("one", 0, 10).value().rows.empty());
}
