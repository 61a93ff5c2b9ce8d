#include "core/session_feed.hpp"

#include <doctest/doctest.h>

#include <atomic>

#include "core/chunked.hpp"

using namespace soma;

namespace {

const session_key key{tenant_id{"t"}, session_id{"s"}};

feed_frame frame(std::uint64_t seq, std::size_t size = 10) {
  return {{1, seq}, event_type::llm_delta, std::make_shared<const std::string>(size, 'x')};
}

void publish(session_feed& feed, std::uint64_t from, std::uint64_t to) {
  for (auto seq = from; seq <= to; ++seq) {
    const feed_frame one[] = {frame(seq)};
    feed.publish(one);
  }
}

std::vector<std::uint64_t> after(const session_feed& feed, std::uint64_t seq,
                                 std::size_t frames_max = 100, std::size_t bytes_max = 1000) {
  std::vector<feed_frame> out;
  feed.copy_after(seq, frames_max, bytes_max, out);
  std::vector<std::uint64_t> seqs;
  for (const auto& f : out) seqs.push_back(f.id.seq);
  return seqs;
}

using seqs = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("feed: a frame is the whole block of the stream") {
  const auto frame = make_feed_frame({3, 42}, event_type::llm_delta, "{}");
  CHECK(*frame.bytes == "000024\r\nid: 3.42\nevent: llm.delta\ndata: {}\n\n\r\n");
  CHECK(chunk_content(*frame.bytes) == "id: 3.42\nevent: llm.delta\ndata: {}\n\n");
}

TEST_CASE("feed: a reader gets the frames after its cursor, and none when the next one is gone") {
  feed_registry registry(1, {.frames_max = 4});
  auto feed = registry.acquire(key);
  CHECK_FALSE(feed->marks().head_known);
  CHECK(after(*feed, 0).empty());
  publish(*feed, 1, 6);
  CHECK(feed->marks().head_seq == 6);
  CHECK(after(*feed, 0).empty());
  CHECK(after(*feed, 1).empty());
  CHECK(after(*feed, 2) == seqs{3, 4, 5, 6});
  CHECK(after(*feed, 5) == seqs{6});
  CHECK(after(*feed, 6).empty());
  CHECK(after(*feed, 2, 2) == seqs{3, 4});
  CHECK(after(*feed, 2, 100, 25) == seqs{3, 4});
  CHECK(after(*feed, 2, 100, 1) == seqs{3});
}

TEST_CASE("feed: the ring is bounded by bytes and keeps one frame whatever its size") {
  feed_registry registry(1, {.frames_max = 100, .bytes_max = 30});
  auto feed = registry.acquire(key);
  publish(*feed, 1, 5);
  CHECK(after(*feed, 2) == seqs{3, 4, 5});
  const feed_frame large[] = {frame(6, 1000)};
  feed->publish(large);
  CHECK(after(*feed, 4).empty());
  CHECK(after(*feed, 5) == seqs{6});
}

TEST_CASE("feed: after a hole the ring starts anew, and nothing is taken twice") {
  feed_registry registry(1, {});
  auto feed = registry.acquire(key);
  publish(*feed, 1, 3);
  publish(*feed, 3, 3);
  CHECK(after(*feed, 0) == seqs{1, 2, 3});
  publish(*feed, 7, 8);
  CHECK(after(*feed, 3).empty());
  CHECK(after(*feed, 6) == seqs{7, 8});
}

TEST_CASE("feed: a head learnt from the log counts only until the first publish") {
  feed_registry registry(1, {});
  auto feed = registry.acquire(key);
  feed->learn(9, 3);
  CHECK(feed->marks().head_known);
  CHECK(feed->marks().head_seq == 9);
  CHECK(feed->marks().first_seq == 3);
  publish(*feed, 10, 10);
  feed->learn(11, 3);
  CHECK(feed->marks().head_seq == 10);
}

TEST_CASE("feed: an interested thread is woken once until it drains") {
  feed_registry registry(2, {});
  int wakes = 0;
  registry.wakers().set_waker(0, [&] { ++wakes; });
  auto feed = registry.acquire(key);
  publish(*feed, 1, 1);
  CHECK(wakes == 0);
  feed->attach(0);
  publish(*feed, 2, 9);
  CHECK(wakes == 1);
  auto woken = registry.wakers().take(0);
  REQUIRE(woken.size() == 1);
  publish(*feed, 10, 10);
  CHECK(wakes == 1);
  feed->drain(0);
  publish(*feed, 11, 11);
  CHECK(wakes == 2);
  registry.wakers().take(0);
  feed->drain(0);
  feed->detach(0);
  publish(*feed, 12, 12);
  CHECK(wakes == 2);
  CHECK(registry.wakers().take(1).empty());
}

TEST_CASE("feed: ending a feed wakes its readers, and the key gets a new feed") {
  feed_registry registry(1, {});
  int wakes = 0;
  registry.wakers().set_waker(0, [&] { ++wakes; });
  auto feed = registry.acquire(key);
  feed->attach(0);
  registry.finish(key, feed_end::deleted);
  CHECK(wakes == 1);
  CHECK(feed->marks().end == feed_end::deleted);
  CHECK(registry.find(key) == nullptr);
  CHECK(registry.acquire(key)->marks().end == feed_end::open);
}

TEST_CASE("feed: feeds nobody holds are dropped after a while, and quiet rings emptied") {
  feed_registry registry(1, {.idle_feeds_max = 2, .idle_ms = 100});
  auto held = registry.acquire(key);
  publish(*held, 1, 3);
  for (char c = 'a'; c < 'f'; ++c)
    registry.acquire({tenant_id{"t"}, session_id{std::string(1, c)}});
  CHECK(registry.size() == 6);
  registry.sweep(1000);
  CHECK(registry.size() == 3);
  CHECK(after(*held, 0) == seqs{1, 2, 3});
  registry.sweep(1100);
  CHECK(registry.size() == 1);
  CHECK(registry.find(key) == held);
  CHECK(after(*held, 0).empty());
  publish(*held, 4, 4);
  CHECK(after(*held, 3) == seqs{4});
}

TEST_CASE("feed: an ephemeral feed numbers its frames itself") {
  feed_registry registry(1, {});
  auto feed = registry.acquire(key);
  feed->publish_ephemeral("event: a\n\n");
  feed->publish_ephemeral("event: b\n\n");
  CHECK(after(*feed, 0) == seqs{1, 2});
}

TEST_CASE("feeds: a tenant's own streams are found by it until their feeds are gone") {
  feed_registry registry(1, {});
  const tenant_id t{"t"};
  CHECK_FALSE(registry.is_followed(t));
  registry.acquire(key);
  CHECK_FALSE(registry.is_followed(t));
  auto all = registry.acquire(tenant_feed_key(t));
  auto ann = registry.acquire(person_feed_key(t, "ann"));
  registry.acquire(person_feed_key(tenant_id{"other"}, "ann"));
  CHECK(registry.is_followed(t));
  CHECK(registry.followed(t).size() == 2);
  CHECK(registry.tenants_followed().size() == 2);
  CHECK(person_of(all->key().session) == "");
  CHECK(person_of(ann->key().session) == "ann");
  CHECK(shown_id(ann->key().session).value == "@me");
  CHECK(shown_id(key.session).value == "s");
  all.reset();
  registry.sweep(1);
  registry.sweep(1'000'000);
  CHECK(registry.followed(t) == std::vector{ann});
  ann.reset();
  registry.sweep(2'000'000);
  registry.sweep(3'000'000);
  CHECK_FALSE(registry.is_followed(t));
}
