// Streams over real sockets: clients that read in fits and starts, lag behind a tiny ring, go away
// in the middle of a frame and come back with their last id must see every event once, in order.
#include <doctest/doctest.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "http/sse_world.hpp"

using namespace soma;
using namespace soma::http;

namespace {

constexpr unsigned clients = 96;
constexpr unsigned sessions = 4;
constexpr std::uint64_t events_a_session = 2000;

std::uint64_t seed() {
  const char* given = std::getenv("SOMA_TEST_SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

// Follows one session to its last event, on many connections; returns what was wrong.
std::string follow(sse_world& world, const session_key& key, std::mt19937_64& random) {
  std::uint64_t cursor = 0;
  while (cursor < events_a_session) {
    std::optional<std::string> last;
    if (cursor > 0) last = "7." + std::to_string(cursor);
    const int receive_bytes = random() % 2 ? 4096 : 0;
    auto client = world.open_at(key, last, random() % 2, receive_bytes);
    const std::uint64_t leave_at = cursor + 1 + random() % 1500;
    while (cursor < std::min(leave_at, events_a_session)) {
      const auto block = client.next_event();
      if (!block) return "the stream ended after " + std::to_string(cursor);
      if (block->id != "7." + std::to_string(cursor + 1))
        return block->id + " after " + std::to_string(cursor);
      if (!block->data.starts_with("{\"n\":" + std::to_string(cursor + 1) + ",") ||
          !block->data.ends_with("x\"}"))
        return "another event's data at " + block->id;
      ++cursor;
      if (random() % 64 == 0) std::this_thread::yield();
    }
  }
  return {};
}

}  // namespace

TEST_CASE("stream: readers that lag and reconnect see every event once and in order") {
  const std::uint64_t s = seed();
  std::cout << "SOMA_TEST_SEED=" << s << std::endl;
  sse_options options;
  options.heartbeat_ms = 75;
  options.chunk_bytes = 16 * 1024;
  options.held_bytes_max = 64 * 1024;
  options.reads_max = 4;
  sse_world world(2, options,
                  {.frames_max = 16, .bytes_max = 4096, .idle_feeds_max = 1, .idle_ms = 20});
  std::vector<session_key> keys;
  for (unsigned i = 0; i < sessions; ++i) {
    keys.push_back(test_session(std::to_string(i)));
    world.append_deltas(keys.back(), 1);
  }
  std::vector<std::string> wrong(clients);
  std::vector<std::thread> running;
  for (unsigned i = 0; i < clients; ++i)
    running.emplace_back([&, i] {
      std::mt19937_64 random(s + i);
      try {
        wrong[i] = follow(world, keys[i % sessions], random);
      } catch (const std::exception& e) {
        wrong[i] = e.what();
      }
    });
  std::mt19937_64 random(s);
  std::vector<std::uint64_t> written(sessions, 1);
  for (bool more = true; more;) {
    more = false;
    for (unsigned i = 0; i < sessions; ++i) {
      const auto count = std::min<std::uint64_t>(1 + random() % 8, events_a_session - written[i]);
      if (count == 0) continue;
      world.append_deltas(keys[i], count, 1 + random() % 900);
      written[i] += count;
      more = true;
    }
    if (random() % 3 == 0) std::this_thread::yield();
  }
  for (auto& thread : running) thread.join();
  for (unsigned i = 0; i < clients; ++i) CHECK_MESSAGE(wrong[i].empty(), i << ": " << wrong[i]);
  for (unsigned t = 0; t < 2; ++t) {
    CHECK(world.counters(t).gaps == 0);
    CHECK(world.counters(t).read_failures == 0);
    std::cout << "thread " << t << ": " << world.counters(t).opened << " streams, "
              << world.counters(t).chunks << " chunks, " << world.counters(t).frames << " frames, "
              << world.counters(t).writes << " writes" << std::endl;
  }
}
