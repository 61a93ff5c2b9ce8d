// What reading promises, of both logs.
#include "event_log_contract.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;

namespace {

constexpr auto delta = event_type::llm_delta;
constexpr auto user = event_type::message_user;

std::uint32_t bit(event_type type) {
  return 1u << static_cast<unsigned>(type);
}

// Ten events: users at 1 and 6, everything else deltas but a progress at 9; finished up to 8.
template <class Store>
session_key ten(Store& s) {
  auto op = append_of(key_of("a"), 0, 10);
  for (auto& e : op.events) e.type = delta;
  op.events[0].type = op.events[5].type = user;
  op.events[8].type = event_type::tool_progress;
  op.compact_seq = 8;
  REQUIRE(commit_one(s.log, op));
  return op.key;
}

}  // namespace

TEST_CASE_TEMPLATE("log: reads from anywhere, both ways, within bounds", store, SOMA_EVENT_LOGS) {
  store s;
  const auto key = ten(s);
  CHECK(seqs_of(page_of(s.log, key, {.after_seq = 7})) == numbers{8, 9, 10});
  CHECK(seqs_of(page_of(s.log, key, {.after_seq = 7, .before_seq = 10})) == numbers{8, 9});
  CHECK(seqs_of(page_of(s.log, key, {.before_seq = 4, .backwards = true})) == numbers{3, 2, 1});
  CHECK(seqs_of(page_of(s.log, key, {.after_seq = 8, .backwards = true})) == numbers{10, 9});
  for (const bool backwards : {false, true}) {
    CAPTURE(backwards);
    for (const auto& [after, before] :
         std::vector<std::pair<std::uint64_t, std::uint64_t>>{{10, UINT64_MAX},
                                                              {UINT64_MAX, UINT64_MAX},
                                                              {UINT64_MAX - 1, UINT64_MAX},
                                                              {4, 5},
                                                              {5, 5},
                                                              {6, 5},
                                                              {0, 0},
                                                              {0, 1}}) {
      CAPTURE(after);
      CAPTURE(before);
      const auto page =
          page_of(s.log, key, {.after_seq = after, .before_seq = before, .backwards = backwards});
      CHECK(page.events.empty());
      CHECK(page.end);
    }
  }
}

TEST_CASE_TEMPLATE("log: pages by number of events join without gap or repeat", store,
                   SOMA_EVENT_LOGS) {
  store s;
  const auto key = ten(s);
  numbers found;
  read_options options{.events_max = 3};
  for (bool end = false; !end;) {
    const auto page = page_of(s.log, key, options);
    REQUIRE(page.events.size() <= 3);
    for (const auto seq : seqs_of(page)) found.push_back(seq);
    options.after_seq = page.scanned_seq;
    end = page.end;
  }
  CHECK(found == numbers{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});

  found.clear();
  options = {.backwards = true, .events_max = 3};
  for (bool end = false; !end;) {
    const auto page = page_of(s.log, key, options);
    for (const auto seq : seqs_of(page)) found.push_back(seq);
    options.before_seq = page.scanned_seq;
    end = page.end;
  }
  CHECK(found == numbers{10, 9, 8, 7, 6, 5, 4, 3, 2, 1});
  // Full with the very last event is the end.
  CHECK(page_of(s.log, key, {.events_max = 10}).end);
  CHECK_FALSE(page_of(s.log, key, {.events_max = 9}).end);
  CHECK(page_of(s.log, key, {.events_max = 0}).events.empty());
  CHECK_FALSE(page_of(s.log, key, {.events_max = 0}).end);
}

TEST_CASE_TEMPLATE("log: a page ends with the event that passes its bytes", store,
                   SOMA_EVENT_LOGS) {
  store s;
  const auto key = ten(s);
  // Of all but the tenth.
  const auto size = event_of(1).json.size() + store::overhead_bytes;
  CHECK(seqs_of(page_of(s.log, key, {.bytes_max = 1})) == numbers{1});
  CHECK(seqs_of(page_of(s.log, key, {.bytes_max = 2 * size})) == numbers{1, 2});
  CHECK(seqs_of(page_of(s.log, key, {.bytes_max = 2 * size + 1})) == numbers{1, 2, 3});
  CHECK(page_of(s.log, key, {.bytes_max = 0}).events.empty());
}

TEST_CASE_TEMPLATE("log: a filter narrows what is shown and says how far it looked", store,
                   SOMA_EVENT_LOGS) {
  store s;
  const auto key = ten(s);
  auto page = page_of(s.log, key, {.types = bit(user)});
  CHECK(seqs_of(page) == numbers{1, 6});
  CHECK(page.scanned_seq == 10);
  CHECK(page.end);
  page = page_of(s.log, key, {.types = bit(user), .events_max = 2});
  CHECK(seqs_of(page) == numbers{1, 6});
  CHECK(page.scanned_seq == 6);
  CHECK_FALSE(page.end);
  page = page_of(s.log, key, {.backwards = true, .types = bit(user), .events_max = 1});
  CHECK(seqs_of(page) == numbers{6});
  CHECK(page.scanned_seq == 6);
  CHECK(seqs_of(page_of(s.log, key, {.types = bit(user) | bit(event_type::tool_progress)})) ==
        numbers{1, 6, 9});
  CHECK(page_of(s.log, key, {.types = bit(event_type::error)}).events.empty());
}

TEST_CASE_TEMPLATE("log: a compact read leaves out what finished messages hold anyway", store,
                   SOMA_EVENT_LOGS) {
  store s;
  const auto key = ten(s);
  CHECK(seqs_of(page_of(s.log, key, {.compact = true})) == numbers{1, 6, 8, 9, 10});
  CHECK(seqs_of(page_of(s.log, key, {.backwards = true, .compact = true})) ==
        numbers{10, 9, 8, 6, 1});
  auto finished = append_of(key, 10, 0);
  finished.compact_seq = 11;
  REQUIRE(commit_one(s.log, finished));
  CHECK(seqs_of(page_of(s.log, key, {.compact = true})) == numbers{1, 6});
  CHECK(page_of(s.log, key, {.compact = true, .types = bit(delta)}).events.empty());
  CHECK(page_of(s.log, key, {.compact = true, .types = bit(delta)}).scanned_seq == 10);
}

TEST_CASE_TEMPLATE("log: events of any bytes come back as they were", store, SOMA_EVENT_LOGS) {
  store s;
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  auto op = append_of(key_of("a"), 0, 3);
  op.events[0].json = all;
  op.events[1].json = "";
  op.events[2].type = event_type::session_close;
  REQUIRE(commit_one(s.log, op));
  const auto page = page_of(s.log, op.key);
  REQUIRE(page.events.size() == 3);
  CHECK(page.events[0].json == all);
  CHECK(page.events[1].json.empty());
  CHECK(page.events[2].type == event_type::session_close);
}
