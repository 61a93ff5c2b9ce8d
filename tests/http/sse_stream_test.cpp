#include <doctest/doctest.h>

#include "http/sse_world.hpp"
#include "http/stream/sse_frame.hpp"

using namespace soma;
using namespace soma::http;

namespace {

const session_key key = test_session();

sse_options quick() {
  sse_options options;
  options.heartbeat_ms = 150;
  return options;
}

// Reads events seq by seq and says where the first is not the next one.
void expect_dense(sse_client& client, std::uint64_t from, std::uint64_t to) {
  for (auto seq = from; seq <= to; ++seq) {
    const auto block = client.next_event();
    REQUIRE(block.has_value());
    REQUIRE(block->id == "7." + std::to_string(seq));
    REQUIRE(block->data.starts_with("{\"n\":" + std::to_string(seq) + ","));
  }
}

void expect_close(sse_client& client, const std::string& reason, bool with_id) {
  const auto block = client.next_event();
  REQUIRE(block.has_value());
  CHECK(block->event == "session.close");
  CHECK(block->data.find("\"" + reason + "\"") != std::string::npos);
  CHECK(block->id.empty() != with_id);
  CHECK_FALSE(client.next_event().has_value());
  CHECK(client.ended_whole());
}

}  // namespace

TEST_CASE("stream: the log is replayed and then goes on live") {
  sse_world world;
  world.append_deltas(key, 3000);
  auto client = world.open_at(key, {});
  const auto first = client.next();
  REQUIRE(first.has_value());
  const int retry_ms = std::stoi(first->retry);
  CHECK(retry_ms >= 1000);
  CHECK(retry_ms <= 2500);
  CHECK(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
  expect_dense(client, 1, 3000);
  for (int i = 0; i < 20; ++i) world.append_deltas(key, 3);
  expect_dense(client, 3001, 3060);
  CHECK(world.counters().gaps == 0);
}

TEST_CASE("stream: after an id only what follows it is sent") {
  sse_world world;
  world.append_deltas(key, 10);
  auto client = world.open_at(key, "7.4");
  expect_dense(client, 5, 10);
}

TEST_CASE("stream: after=end tells the position and sends what is new") {
  sse_world world;
  world.append_deltas(key, 10);
  stream_request request;
  request.key = key;
  request.start = *plan_stream(*world.log().head(key), {}, "end");
  auto client = world.open(request);
  const auto position = client.next_event();
  REQUIRE(position.has_value());
  CHECK(position->id == "7.10");
  CHECK(position->data.empty());
  world.append_deltas(key, 2);
  expect_dense(client, 11, 12);
}

TEST_CASE("stream: an id that is not in the log is answered with stream.reset") {
  sse_world world;
  world.append_deltas(key, 5);
  auto client = world.open_at(key, "7.9");
  auto block = client.next_event();
  REQUIRE(block.has_value());
  CHECK(block->event == "stream.reset");
  CHECK(block->id == "7.5");
  world.append_deltas(key, 1);
  expect_dense(client, 6, 6);
  auto older = world.open_at(key, "6.3");
  block = older.next_event();
  REQUIRE(block.has_value());
  CHECK(block->event == "stream.reset");
  CHECK(block->id.empty());
  CHECK(block->data.find("from") == std::string::npos);
  expect_dense(older, 1, 6);
}

TEST_CASE("stream: a type filter narrows what is sent and the position still moves") {
  sse_world world(1, quick());
  world.append(key, {{event_type::message_user, "a"},
                     {event_type::llm_delta, "b"},
                     {event_type::llm_complete, "c"},
                     {event_type::llm_delta, "d"}});
  stream_request request;
  request.key = key;
  request.chunked = true;
  request.types = *parse_types("llm.complete");
  auto client = world.open(request);
  auto expect = [&client](const char* id, const char* event) {
    const auto block = client.next_event();
    REQUIRE(block.has_value());
    CHECK(block->id == id);
    CHECK(block->event == event);
  };
  expect("7.3", "llm.complete");
  expect("7.4", "");
  world.append(key, {{event_type::llm_delta, "e"}, {event_type::llm_delta, "f"}});
  expect("7.6", "");
  world.append(key, {{event_type::llm_delta, "g"}, {event_type::llm_complete, "h"}});
  expect("7.8", "llm.complete");
  world.remove(key);
  expect_close(client, "deleted", true);
}

TEST_CASE("stream: compact leaves out the deltas of finished messages, live ones are sent") {
  sse_world world;
  world.append(key, {{event_type::message_user, "a"},
                     {event_type::llm_delta, "b"},
                     {event_type::llm_delta, "c"},
                     {event_type::message_assistant, "d"},
                     {event_type::llm_delta, "e"}});
  world.compact(key, 4);
  stream_request request;
  request.key = key;
  request.compact = true;
  auto client = world.open(request);
  for (const char* id : {"7.1", "7.4", "7.5"}) {
    const auto block = client.next_event();
    REQUIRE(block.has_value());
    CHECK(block->id == id);
  }
  world.append(key, {{event_type::llm_delta, "f"}});
  expect_dense(client, 6, 6);
  CHECK(world.counters().gaps == 0);
}

TEST_CASE("stream: a slow reader is moved back to the log and misses nothing") {
  sse_options options = quick();
  options.held_bytes_max = 0;
  sse_world world(1, options, {.frames_max = 16, .bytes_max = 4096});
  world.append_deltas(key, 1);
  auto client = world.open_at(key, {}, 0, 4096);
  for (int i = 0; i < 200; ++i) world.append_deltas(key, 50, 300);
  expect_dense(client, 1, 10'001);
  CHECK(world.counters().gaps == 0);
  CHECK(world.counters().chunks > 5);
}

TEST_CASE("stream: a reader that takes nothing is dropped") {
  sse_options options = quick();
  options.stall_ms = 300;
  sse_world world(1, options);
  world.append_deltas(key, 20'000, 300);
  auto client = world.open_at(key, {}, 0, 4096);
  eventually([&] { return world.counters().opened == 1 && world.counters().open == 0; });
  CHECK(world.counters().stalled == 1);
}

TEST_CASE("stream: a reader that stands at the head gets the session's own last event") {
  sse_world world;
  world.append_deltas(key, 2);
  auto client = world.open_at(key, {});
  expect_dense(client, 1, 2);
  world.reset(key);
  expect_close(client, "reset", true);
  auto again = world.open_at(key, "7.2");
  auto block = again.next_event();
  REQUIRE(block.has_value());
  CHECK(block->event == "stream.reset");
  CHECK(block->id.empty());
  block = again.next_event();
  REQUIRE(block.has_value());
  CHECK(block->event == "session.open");
  CHECK(block->id == "7.4");
  world.remove(key);
  expect_close(again, "deleted", true);
}

TEST_CASE("stream: a reader that lags behind a reset or a deletion is told so and ended") {
  for (const bool deleted : {false, true}) {
    CAPTURE(deleted);
    sse_world world(1, {}, {.frames_max = 16, .bytes_max = 4096});
    world.append_deltas(key, 50'000, 300);
    auto client = world.open_at(key, {}, 0, 4096);
    eventually([&] { return world.counters().frames > 0; });
    if (deleted)
      world.remove(key);
    else
      world.reset(key);
    if (!deleted) world.append_deltas(key, 100, 300);
    std::uint64_t seq = 0;
    for (;;) {
      const auto block = client.next_event();
      REQUIRE(block.has_value());
      if (block->event == "session.close") {
        CHECK(block->id.empty());
        CHECK(block->data.find(deleted ? "deleted" : "reset") != std::string::npos);
        break;
      }
      REQUIRE(block->id == "7." + std::to_string(++seq));
    }
    CHECK_FALSE(client.next_event().has_value());
    CHECK(seq < 50'000);
    CHECK(world.counters().gaps == 0);
  }
}

TEST_CASE("stream: silence is filled with heartbeats that have data and no id") {
  sse_world world(1, quick());
  world.append_deltas(key, 1);
  auto client = world.open_at(key, {});
  expect_dense(client, 1, 1);
  for (int i = 0; i < 2; ++i) {
    const auto block = client.next();
    REQUIRE(block.has_value());
    CHECK(block->event == "heartbeat");
    CHECK(block->id.empty());
    CHECK(block->data.find("\"session_id\":\"s\"") != std::string::npos);
  }
  world.append_deltas(key, 1);
  expect_dense(client, 2, 2);
}

TEST_CASE("stream: frames that are due together go in one write") {
  sse_world world;
  world.append_deltas(key, 1);
  auto client = world.open_at(key, {});
  expect_dense(client, 1, 1);
  world.run_on(0, [] {});
  const auto before = world.counters().writes.load();
  world.append_deltas(key, 64);
  expect_dense(client, 2, 65);
  world.run_on(0, [] {});  // the reader may be ahead of the count
  CHECK(world.counters().writes == before + 1);
}

TEST_CASE("stream: a client that goes away is noticed") {
  sse_world world;
  world.append_deltas(key, 1);
  {
    auto client = world.open_at(key, {});
    expect_dense(client, 1, 1);
  }
  eventually([&] { return world.counters().open == 0; });
}

TEST_CASE(
    "stream: for HTTP/1.0 the same frames come without chunks, to the end of the connection") {
  sse_world world(1, quick());
  world.append_deltas(key, 3000, 300);
  stream_request request;
  request.key = key;
  request.start = *plan_stream(*world.log().head(key), std::nullopt, std::nullopt);
  auto client = world.open(request, 0, 4096);
  expect_dense(client, 1, 3000);
  world.append_deltas(key, 500, 300);  // more than the socket takes: frames are sent in part
  expect_dense(client, 3001, 3500);
  while (client.next()->event != "heartbeat") {
  }
  world.remove(key);
  CHECK(client.next_event()->event == "session.close");
  CHECK_FALSE(client.next_event().has_value());
}

TEST_CASE("stream: a shutdown sends what is durable, then closes") {
  sse_world world;
  world.append_deltas(key, 5000, 300);
  auto client = world.open_at(key, {});
  std::atomic<bool> drained = false;
  world.run_on(0, [&] { world.hub(0).drain([&] { drained = true; }); });
  expect_dense(client, 1, 5000);
  CHECK_FALSE(client.next_event().has_value());
  CHECK_FALSE(client.ended_whole());  // the session goes on: a client that can tell comes again
  { auto gone = std::move(client); }
  eventually([&] { return drained.load(); });
}

TEST_CASE("stream: an owner that lost its claim closes its streams without session.close") {
  sse_world world;
  world.append_deltas(key, 3);
  auto client = world.open_at(key, {});
  expect_dense(client, 1, 3);
  world.registry().finish_all(feed_end::owner_lost);
  CHECK_FALSE(client.next_event().has_value());
  CHECK_FALSE(client.ended_whole());
}

TEST_CASE("stream: the tenant's stream is a snapshot and changes, and drops who is too slow") {
  sse_world world(1, {}, {.frames_max = 16, .bytes_max = 1 << 20});
  const session_key tenant = tenant_feed_key(tenant_id{"t"});
  const auto feed = world.registry().acquire(tenant);
  stream_request request;
  request.key = tenant;
  request.ephemeral = true;
  request.chunked = true;
  request.start.cursor = feed->marks().head_seq;
  feed->publish_ephemeral(ephemeral_frame("a.b", 0, "{}"));
  request.snapshot = ephemeral_frame("session.list", 0, "{}");
  auto client = world.open(request);
  for (const char* name : {"session.list", "a.b"}) {
    const auto block = client.next_event();
    REQUIRE(block.has_value());
    CHECK(block->event == name);
    CHECK(block->id.empty());
  }
  request.start.cursor = feed->marks().head_seq;
  auto slow = world.open(request, 0, 4096);
  REQUIRE(slow.next_event().has_value());
  const auto large = ephemeral_frame("a.c", 0, "\"" + std::string(60'000, 'x') + "\"");
  for (int i = 0; i < 100; ++i) feed->publish_ephemeral(large);
  while (slow.next_event()) {
  }
  CHECK(world.counters().overrun >= 1);
}
