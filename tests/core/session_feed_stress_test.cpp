// Many readers on several threads against one publisher whose ring is always too small: each reader
// hops between ring and log, comes and goes, dawdles at random, and must see every seq once and in
// order. Meant for ThreadSanitizer as much as for the invariants.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <thread>

#include "core/session_feed.hpp"

using namespace soma;

namespace {

constexpr unsigned threads = 4;
constexpr unsigned sessions = 6;
constexpr unsigned readers_a_thread = 500;
constexpr std::uint64_t events_a_session = 1500;

std::uint64_t seed() {
  const char* given = std::getenv("SOMA_TEST_SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

session_key key_of(unsigned n) {
  return {tenant_id{"t"}, session_id{std::to_string(n)}};
}

// What the store is to readers: the committed head is visible before the publish.
struct committed_logs {
  std::array<std::atomic<std::uint64_t>, sessions> head{};
};

class parker {  // wakes one io thread
 public:
  void wake() {
    std::lock_guard lock(mutex_);
    pending_ = true;
    changed_.notify_one();
  }
  // False: nothing came for so long that a wake-up must have been lost.
  bool wait() {
    std::unique_lock lock(mutex_);
    const bool woken = changed_.wait_for(lock, std::chrono::seconds(60), [&] { return pending_; });
    pending_ = false;
    return woken;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool pending_ = false;
};

struct reader {
  unsigned session = 0;
  std::uint64_t cursor = 0;
  unsigned patience = 1;  // frames it takes at a time
};

class reading_thread {
 public:
  reading_thread(unsigned number, std::uint64_t s, feed_registry& registry, committed_logs& logs,
                 std::atomic<std::uint64_t>& failures)
      : number_(number),
        random_(s + number),
        registry_(registry),
        logs_(logs),
        failures_(failures) {
    registry_.wakers().set_waker(number_, [this] { parker_.wake(); });
  }

  void run() {
    for (unsigned i = 0; i < readers_a_thread; ++i) {
      reader r;
      r.session = random_() % sessions;
      r.patience = 1 + random_() % 8;
      open(r);
    }
    while (unfinished_ > 0) {
      if (!parker_.wait()) {
        ++failures_;
        std::cerr << "thread " << number_ << " lost a wake-up, " << unfinished_ << " unfinished\n";
        return;
      }
      for (const auto& feed : registry_.wakers().take(number_)) {
        feed->drain(number_);
        const auto it = attached_.find(feed->key());
        if (it != attached_.end() && it->second.feed == feed) serve(it->second);
      }
    }
    registry_.wakers().set_waker(number_, nullptr);
  }

  std::uint64_t from_ring = 0, from_log = 0;

 private:
  struct attachment {
    std::shared_ptr<session_feed> feed;
    std::vector<reader> readers;
  };

  void open(reader r) {
    ++unfinished_;
    attachment& a = attached_[key_of(r.session)];
    if (!a.feed) join(a, r.session);
    a.readers.push_back(r);
    serve(a);
  }

  void join(attachment& a, unsigned session) {
    a.feed = registry_.acquire(key_of(session));
    a.feed->attach(number_);
  }

  void serve(attachment& a) {
    if (random_() % 16 == 0) reconnect(a);
    for (std::size_t i = 0; i < a.readers.size();) {
      read_to_head(*a.feed, a.readers[i]);
      if (a.readers[i].cursor == events_a_session) {
        a.readers.erase(a.readers.begin() + static_cast<std::ptrdiff_t>(i));
        --unfinished_;
      } else {
        ++i;
      }
    }
    if (!a.readers.empty()) return;
    a.feed->detach(number_);
    attached_.erase(session_key(a.feed->key()));
  }

  // The registry may drop the feed between leaving and coming back.
  void reconnect(attachment& a) {
    const unsigned session = a.readers.front().session;
    a.feed->detach(number_);
    a.feed.reset();
    if (random_() % 2) std::this_thread::yield();
    join(a, session);
  }

  void read_to_head(session_feed& feed, reader& r) {
    for (;;) {
      frames_.clear();
      const feed_marks marks = feed.copy_after(r.cursor, r.patience, 1 << 20, frames_);
      if (frames_.empty()) {
        if (marks.head_known && r.cursor >= marks.head_seq) return;
        const std::uint64_t head = logs_.head[r.session].load(std::memory_order_acquire);
        if (!marks.head_known) feed.learn(head, 1);
        if (marks.head_known && head < marks.head_seq) fail("shown before it was durable");
        if (head > r.cursor) {
          const std::uint64_t step = 1 + random_() % 50;
          from_log += std::min(step, head - r.cursor);
          r.cursor = std::min(head, r.cursor + step);
        }
        continue;
      }
      for (const feed_frame& f : frames_) {
        if (f.id.seq != r.cursor + 1) fail("not the next one");
        if (*f.bytes != std::to_string(r.session) + ":" + std::to_string(f.id.seq))
          fail("another event's bytes");
        r.cursor = f.id.seq;
        ++from_ring;
      }
      if (random_() % 128 == 0) std::this_thread::yield();
    }
  }

  void fail(const char* what) {
    ++failures_;
    std::cerr << what << "\n";
  }

  const unsigned number_;
  std::mt19937_64 random_;
  feed_registry& registry_;
  committed_logs& logs_;
  std::atomic<std::uint64_t>& failures_;
  parker parker_;
  std::map<session_key, attachment> attached_;
  std::vector<feed_frame> frames_;
  std::size_t unfinished_ = 0;
};

void publish_all(feed_registry& registry, committed_logs& logs, std::uint64_t s) {
  std::mt19937_64 random(s);
  std::vector<std::uint64_t> next(sessions, 1);
  std::int64_t clock_ms = 0;
  for (std::uint64_t left = sessions * events_a_session; left > 0;) {
    const unsigned n = random() % sessions;
    const std::uint64_t last = std::min(events_a_session, next[n] + random() % 5);
    if (next[n] > last) continue;
    logs.head[n].store(last, std::memory_order_release);
    if (random() % 8 == 0) std::this_thread::yield();
    if (const auto feed = registry.find(key_of(n))) {
      std::vector<feed_frame> frames;
      for (auto seq = next[n]; seq <= last; ++seq)
        frames.push_back(
            {{1, seq},
             event_type::llm_delta,
             std::make_shared<const std::string>(std::to_string(n) + ":" + std::to_string(seq))});
      feed->publish(frames);
    }
    left -= last + 1 - next[n];
    next[n] = last + 1;
    if (random() % 4 == 0) registry.sweep(++clock_ms);
  }
}

}  // namespace

TEST_CASE("feed: thousands of readers see every event once and in order from a ring too small") {
  const std::uint64_t s = seed();
  std::cout << "SOMA_TEST_SEED=" << s << std::endl;
  feed_registry registry(threads,
                         {.frames_max = 7, .bytes_max = 60, .idle_feeds_max = 2, .idle_ms = 3});
  committed_logs logs;
  std::atomic<std::uint64_t> failures{0};
  std::vector<std::unique_ptr<reading_thread>> readers;
  std::vector<std::thread> running;
  for (unsigned i = 0; i < threads; ++i) {
    readers.push_back(std::make_unique<reading_thread>(i, s, registry, logs, failures));
    running.emplace_back([&r = *readers.back()] { r.run(); });
  }
  publish_all(registry, logs, s);
  for (auto& thread : running) thread.join();
  CHECK(failures == 0);
  std::uint64_t ring = 0, log = 0;
  for (const auto& r : readers) {
    ring += r->from_ring;
    log += r->from_log;
  }
  CHECK(ring + log == std::uint64_t{threads} * readers_a_thread * events_a_session);
  std::cout << "from the ring " << ring << ", from the log " << log << std::endl;
  CHECK(ring > 0);
  CHECK(log > 0);
}
