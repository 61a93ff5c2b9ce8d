#include <doctest/doctest.h>

#include "http/stream/sse_frame.hpp"
#include "http/stream/stream_plan.hpp"

using namespace soma;
using namespace soma::http;

namespace {

// Epoch 3 wrote 1 to 10, epoch 5 wrote 11 to 20, epoch 8 the rest.
storage::session_head head(std::uint64_t first_seq = 1, std::uint64_t seq = 25) {
  storage::session_head h;
  h.seq = seq;
  h.first_seq = first_seq;
  h.epochs = {{3, 1}, {5, 11}, {8, 21}};
  return h;
}

}  // namespace

TEST_CASE("stream plan: where each start begins") {
  struct row {
    const char* id;
    const char* after;
    std::uint64_t first_seq;
    std::uint64_t cursor;
    const char* reset;  // null: none; "": without from
  };
  const row rows[] = {
      {"", "", 1, 0, nullptr},
      {"", "start", 1, 0, nullptr},
      {"", "start", 12, 11, nullptr},
      {"", "end", 1, 25, nullptr},
      {"", "3.4", 1, 4, nullptr},
      {"3.10", "", 1, 10, nullptr},
      {"5.11", "start", 1, 11, nullptr},
      {"8.25", "", 1, 25, nullptr},
      {"3.12", "", 1, 10, "3.10"},  // its tail was lost, a later opening wrote on
      {"7.22", "", 1, 20, "5.20"},  // an opening of which nothing is left
      {"8.26", "", 1, 25, "8.25"},  // beyond the end
      {"9.90", "", 1, 25, "8.25"},
      {"2.5", "", 1, 0, ""},     // older than the log
      {"5.12", "", 13, 12, ""},  // before a reset, its epoch still writing
      {"3.4", "", 12, 11, ""},
      {"3.4", "", 21, 20, ""},
      {"5.4", "", 1, 3, "3.3"},  // never given: nothing that was not sent is skipped
      {"0.0", "", 1, 0, ""},
  };
  for (const row& r : rows) {
    CAPTURE(r.id);
    CAPTURE(r.after);
    CAPTURE(r.first_seq);
    const auto start = plan_stream(head(r.first_seq), r.id, r.after);
    REQUIRE(start.has_value());
    CHECK(start->cursor == r.cursor);
    CHECK(start->reset == (r.reset != nullptr));
    if (r.reset) CHECK((start->from ? to_string(*start->from) : "") == r.reset);
  }
}

TEST_CASE("stream plan: after=end tells the position first") {
  const auto start = plan_stream(head(), {}, "end");
  REQUIRE(start.has_value());
  CHECK((start->position == event_id{8, 25}));
  CHECK_FALSE(plan_stream(head(), {}, {})->position);
}

TEST_CASE("stream plan: malformed ids are refused") {
  for (const char* id : {"x", "3", "3.", ".4", "3.4.5", "-1.4", "3.04", " 3.4", "latest"}) {
    CAPTURE(id);
    CHECK(plan_stream(head(), id, {}).has_error());
    CHECK(plan_stream(head(), {}, id).has_error());
  }
  CHECK(plan_stream(head(), "x", {}).error().code == "event_id.malformed");
}

TEST_CASE("stream frames: resets, closes and heartbeats are envelopes of one line") {
  const session_id s{"abc"};
  CHECK(stream_reset_frame(s, 0, event_id{3, 7}) ==
        "id: 3.7\nevent: stream.reset\ndata: {\"from\":\"3.7\",\"version\":\"v1\",\"meta\":"
        "{\"session_id\":\"abc\",\"created_at\":\"1970-01-01T00:00:00.000Z\"},"
        "\"type\":\"stream.reset\",\"payload\":{\"from\":\"3.7\"}}\n\n");
  CHECK(stream_reset_frame(s, 0, {}).starts_with("event: stream.reset\ndata: {\"version\""));
  CHECK(heartbeat_frame(s, 0) ==
        "event: heartbeat\ndata: {\"version\":\"v1\",\"meta\":{\"session_id\":\"abc\","
        "\"created_at\":\"1970-01-01T00:00:00.000Z\"},\"type\":\"heartbeat\",\"payload\":{}}\n\n");
  CHECK(position_block({3, 7}) == "id: 3.7\n\n");
  CHECK(session_close_frame(s, 0, "reset").find("\"payload\":{\"reason\":\"reset\"}") !=
        std::string::npos);
}

TEST_CASE("stream types: known names only, and session.close always passes") {
  const auto mask = parse_types("llm.delta,llm.complete");
  REQUIRE(mask.has_value());
  CHECK(*mask == (1u << 5 | 1u << 6 | 1u << 16));
  CHECK(*parse_types("llm.delta,stream.reset,heartbeat") == (1u << 5 | 1u << 16));
  for (const char* list : {"", "llm.delta,", "nothing", "llm.delta,,llm.complete"})
    CHECK(parse_types(list).has_error());
}
