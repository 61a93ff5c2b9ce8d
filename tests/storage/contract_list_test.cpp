// What the lists promise, of both logs: sessions by recency, tenants, busy sessions.
#include <algorithm>

#include "event_log_contract.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;

namespace {

template <class Store>
void touch(Store& s, const session_key& key, const session_info& info) {
  const auto head = s.log.head(key);
  auto op = append_of(key, head ? head->seq : 0);
  op.info = info;
  REQUIRE(commit_one(s.log, op));
}

const tenant_id t("t");

}  // namespace

TEST_CASE_TEMPLATE("log: sessions are listed newest first, ties by id", store, SOMA_EVENT_LOGS) {
  store s;
  touch(s, key_of("a"), info_of("", 20));
  touch(s, key_of("c"), info_of("", 30));
  touch(s, key_of("b"), info_of("", 30));
  touch(s, key_of("d"), info_of("", 10));
  touch(s, key_of("other", "t1"), info_of("", 99));
  const auto page = s.log.list(t, {}).value();
  CHECK(sessions_of(page) == names{"b", "c", "a", "d"});
  CHECK(page.next_cursor.empty());
  CHECK(page.sessions[0].head.seq == 1);
  CHECK(page.sessions[0].head.info.updated_at_ms == 30);
  touch(s, key_of("d"), info_of("", 40));
  CHECK(sessions_of(*s.log.list(t, {})) == names{"d", "b", "c", "a"});
  CHECK(s.log.list(tenant_id("nobody"), {})->sessions.empty());
}

TEST_CASE_TEMPLATE("log: pages of a list join, whatever their size", store, SOMA_EVENT_LOGS) {
  store s;
  names all;
  for (int n = 0; n < 12; ++n) {
    const auto name = std::string(1, static_cast<char>('a' + n));
    touch(s, key_of(name), info_of("", 100 - n / 3));  // ties of three
    all.push_back(name);
  }
  for (std::size_t limit = 1; limit <= 13; ++limit) {
    CAPTURE(limit);
    names found;
    session_list_options options{.limit = limit};
    do {
      const auto page = s.log.list(t, options).value();
      REQUIRE(page.sessions.size() <= limit);
      for (const auto& name : sessions_of(page)) found.push_back(name);
      options.cursor = page.next_cursor;
    } while (!options.cursor.empty());
    CHECK(found == all);
  }
  CHECK(s.log.list(t, {.limit = 0})->sessions.empty());
}

TEST_CASE_TEMPLATE("log: a search looks at so many rows a page and goes on from there", store,
                   SOMA_EVENT_LOGS) {
  store s;
  for (int n = 0; n < 20; ++n)
    touch(s, key_of(std::string(1, static_cast<char>('a' + n))),
          info_of(n == 9 || n == 19 ? "wanted" : "other", 100 - n));
  session_list_options options{.query = "wanted", .looked_at_max = 5};
  names found;
  int pages = 0;
  do {
    const auto page = s.log.list(t, options).value();
    for (const auto& name : sessions_of(page)) found.push_back(name);
    options.cursor = page.next_cursor;
    REQUIRE(++pages <= 4);
  } while (!options.cursor.empty());
  CHECK(found == names{"j", "t"});
  CHECK(pages == 4);  // twenty rows, five at a time
}

TEST_CASE_TEMPLATE("log: a list of what somebody may see has each of that once, whatever its pages",
                   store, SOMA_EVENT_LOGS) {
  store s;
  names mine;
  for (int n = 0; n < 20; ++n) {
    const auto name = std::string(1, static_cast<char>('a' + n));
    auto info = info_of("", 100 - n / 4);  // ties of four
    info.user_id = n % 3 == 0 || n > 17 ? "ann" : "bob";
    touch(s, key_of(name), info);
    if (info.user_id == "ann") mine.push_back(name);
  }
  session_list_options options;
  options.shows = [](const session_info& info) { return info.user_id == "ann"; };
  for (std::size_t limit = 1; limit <= 8; ++limit)
    for (const std::size_t looked_at : {1u, 3u, 4u, 5u, 19u, 5000u}) {
      CAPTURE(limit);
      CAPTURE(looked_at);
      options.limit = limit;
      options.looked_at_max = looked_at;
      options.cursor.clear();
      names found;
      int pages = 0;
      do {
        const auto page = s.log.list(t, options).value();
        REQUIRE(page.sessions.size() <= limit);
        for (const auto& name : sessions_of(page)) found.push_back(name);
        options.cursor = page.next_cursor;
        // It names what was shown, or nothing.
        const auto& cursor = options.cursor;
        const auto named = cursor.substr(std::min(cursor.find('-') + 1, cursor.size()));
        CHECK((named.empty() || std::find(mine.begin(), mine.end(), named) != mine.end()));
        REQUIRE(++pages <= 30);
      } while (!options.cursor.empty());
      CHECK(found == mine);
    }
  options.shows = [](const session_info&) { return false; };
  options.limit = 50;
  options.looked_at_max = 5000;
  options.cursor.clear();
  const auto none = s.log.list(t, options).value();
  CHECK(none.sessions.empty());
  CHECK(none.next_cursor.empty());
}

TEST_CASE_TEMPLATE("log: rows that move or go while a list is paged hinder nobody", store,
                   SOMA_EVENT_LOGS) {
  store s;
  for (int n = 0; n < 6; ++n)
    touch(s, key_of(std::string(1, static_cast<char>('a' + n))), info_of("", 100 - n));
  auto page = s.log.list(t, {.limit = 2}).value();
  CHECK(sessions_of(page) == names{"a", "b"});
  SUBCASE("the last one shown moves to the front") {
    touch(s, key_of("b"), info_of("", 200));
    CHECK(sessions_of(*s.log.list(t, {.cursor = page.next_cursor})) == names{"c", "d", "e", "f"});
  }
  SUBCASE("the last one shown is removed") {
    auto op = append_of(key_of("b"), 1);
    op.remove = true;
    REQUIRE(commit_one(s.log, op));
    CHECK(sessions_of(*s.log.list(t, {.cursor = page.next_cursor})) == names{"c", "d", "e", "f"});
  }
  SUBCASE("one not yet shown moves to the front") {
    touch(s, key_of("d"), info_of("", 200));
    CHECK(sessions_of(*s.log.list(t, {.cursor = page.next_cursor})) == names{"c", "e", "f"});
  }
  SUBCASE("one shown already moves behind the cursor: it is shown as it is now") {
    touch(s, key_of("a"), info_of("", 98));
    CHECK(sessions_of(*s.log.list(t, {.cursor = page.next_cursor})) ==
          names{"a", "c", "d", "e", "f"});
  }
}

TEST_CASE_TEMPLATE("log: a cursor that is none is refused", store, SOMA_EVENT_LOGS) {
  store s;
  touch(s, key_of("a"), info_of("", 1));
  for (const char* bad : {"x", "-", "12", "-a", "12a", "9999999999999999999999-a", " 1-a"}) {
    CAPTURE(bad);
    CHECK(code_of(s.log.list(t, {.cursor = bad})) == codes::request_invalid_parameter);
  }
}

TEST_CASE_TEMPLATE("log: a list is searched by a part of the title", store, SOMA_EVENT_LOGS) {
  store s;
  touch(s, key_of("a"), info_of("Bär and Fox", 3));
  touch(s, key_of("b"), info_of("a FOX hunt", 2));
  touch(s, key_of("c"), info_of("", 1));
  CHECK(sessions_of(*s.log.list(t, {.query = "fox"})) == names{"a", "b"});
  CHECK(sessions_of(*s.log.list(t, {.query = "BÄR"})).empty());  // only ASCII has no case
  CHECK(sessions_of(*s.log.list(t, {.query = "Bär"})) == names{"a"});
  CHECK(sessions_of(*s.log.list(t, {.query = "fox "})) == names{"b"});
  CHECK(sessions_of(*s.log.list(t, {.query = ""})) == names{"a", "b", "c"});
  const auto page = s.log.list(t, {.query = "fox", .limit = 1}).value();
  CHECK(sessions_of(page) == names{"a"});
  CHECK(sessions_of(*s.log.list(t, {.cursor = page.next_cursor, .query = "fox"})) == names{"b"});
  touch(s, key_of("a"), info_of("renamed", 3));
  CHECK(sessions_of(*s.log.list(t, {.query = "fox"})) == names{"b"});
}

TEST_CASE_TEMPLATE("log: busy sessions are those whose last append said so", store,
                   SOMA_EVENT_LOGS) {
  store s;
  auto busy = [&] {
    auto found = s.log.busy_sessions().value();
    std::sort(found.begin(), found.end());
    return found;
  };
  touch(s, key_of("a"), info_of("", 1, true));
  touch(s, key_of("b"), info_of("", 1, false));
  touch(s, key_of("a", "t1"), info_of("", 1, true));
  CHECK(busy() == std::vector<session_key>{key_of("a"), key_of("a", "t1")});
  REQUIRE(commit_one(s.log, append_of(key_of("a"), 1)));  // says nothing of it
  CHECK(busy() == std::vector<session_key>{key_of("a"), key_of("a", "t1")});
  touch(s, key_of("a"), info_of("", 1, false));
  touch(s, key_of("b"), info_of("", 1, true));
  CHECK(busy() == std::vector<session_key>{key_of("b"), key_of("a", "t1")});
}

TEST_CASE_TEMPLATE("log: a tenant is one as long as it has a session", store, SOMA_EVENT_LOGS) {
  store s;
  CHECK(s.log.tenants()->empty());
  for (const char* tenant : {"t1", "t", "a", "t\xff"})
    for (const char* session : {"x", "y"}) touch(s, key_of(session, tenant), info_of("", 1));
  CHECK(*s.log.tenants() ==
        std::vector<tenant_id>{tenant_id("a"), t, tenant_id("t1"), tenant_id("t\xff")});
  for (const char* session : {"x", "y"}) {
    auto op = append_of(key_of(session, "t1"), 1);
    op.remove = true;
    REQUIRE(commit_one(s.log, op));
  }
  CHECK(*s.log.tenants() == std::vector<tenant_id>{tenant_id("a"), t, tenant_id("t\xff")});
}

TEST_CASE_TEMPLATE("log: a page of the list is bounded in bytes, and goes on behind its cursor",
                   store, SOMA_EVENT_LOGS) {
  store s;
  for (int n = 0; n < 5; ++n) {
    auto op = append_of(key_of("s" + std::to_string(n)), 0);
    op.info = info_of(std::string(10'000, 'x'), 100 - n);
    REQUIRE(commit_one(s.log, op));
  }
  session_list_options options;
  options.bytes_max = 15'000;
  names seen;
  std::vector<std::size_t> sizes;
  do {
    const auto page = s.log.list(tenant_id("t"), options);
    REQUIRE(page);
    for (const auto& name : sessions_of(*page)) seen.push_back(name);
    sizes.push_back(page->sessions.size());
    options.cursor = page->next_cursor;
  } while (!options.cursor.empty());
  CHECK(seen == names{"s0", "s1", "s2", "s3", "s4"});
  CHECK(sizes == std::vector<std::size_t>{2, 2, 1});
}
