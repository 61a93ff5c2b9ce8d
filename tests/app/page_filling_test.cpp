#include "app/page_filling.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "storage/event_log.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::app;
using storage::session_list_options;
using storage::session_list_page;

namespace {

const tenant_id tenant("t");

// Of 60 sessions every tenth is ann's.
struct sessions_of_two {
  sessions_of_two() {
    for (int n = 0; n < 60; ++n) {
      storage::append_op op;
      op.key = {tenant, session_id("s" + std::to_string(100 + n))};
      op.events.push_back({1, event_type::session_open, "{}"});
      op.info.emplace();
      op.info->user_id = n % 10 == 9 ? "ann" : "bob";
      op.info->updated_at_ms = 1000 - n;
      REQUIRE(log->commit({&op, 1}).at(0));
    }
  }

  // As the list of sessions is read, a piece looking at `looked_at` rows.
  session_list_page read(std::string cursor, std::size_t limit, std::size_t looked_at,
                         std::size_t enough = SIZE_MAX) {
    page_filling page(&session_list_page::sessions, std::move(cursor), limit, enough);
    pieces = 0;
    while (page.goes_on()) {
      session_list_options options;
      options.cursor = page.cursor();
      options.limit = page.left();
      options.looked_at_max = looked_at;
      options.shows = [](const storage::session_info& info) { return info.user_id == "ann"; };
      page.take(log->list(tenant, options).value());
      ++pieces;
    }
    return std::move(page).page();
  }

  std::unique_ptr<storage::event_log> log = storage::make_memory_event_log();
  std::size_t pieces = 0;
};

}  // namespace

TEST_CASE_FIXTURE(sessions_of_two, "pages: one is full where there is more, whatever is between") {
  auto page = read({}, 4, 3);
  REQUIRE(page.sessions.size() == 4);
  CHECK(page.sessions[0].session.value == "s109");
  CHECK(page.sessions[3].session.value == "s139");
  REQUIRE_FALSE(page.next_cursor.empty());
  page = read(page.next_cursor, 4, 3);
  REQUIRE(page.sessions.size() == 2);
  CHECK(page.sessions[1].session.value == "s159");
  CHECK(page.next_cursor.empty());
}

TEST_CASE_FIXTURE(sessions_of_two, "pages: one request looks through so many pieces") {
  auto page = read({}, 6, 2);
  CHECK(pieces == page_pieces_max);
  CHECK(page.sessions.size() == 4);  // of the first 40
  REQUIRE_FALSE(page.next_cursor.empty());
  page = read(page.next_cursor, 6, 2);
  CHECK(page.sessions.size() == 2);
  CHECK(page.next_cursor.empty());
  CHECK(read({}, 1, 100).sessions.size() == 1);
  CHECK(pieces == 1);
}

TEST_CASE_FIXTURE(sessions_of_two, "pages: who needs no full one is given what there is soon") {
  const auto page = read({}, 6, 3, 1);
  CHECK(pieces == 4);
  CHECK(page.sessions.size() == 1);
  CHECK_FALSE(page.next_cursor.empty());
}
