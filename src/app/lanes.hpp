// Threads that stand before the store, so that no io thread touches the disk: one lane for each
// kind of work, so that what is quick never waits behind what is long or behind a disk that syncs.
#pragma once

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <limits>
#include <utility>

namespace soma::app {

// Thread-safe. Work is taken in order, and refused while as much waits as may. The destructor
// finishes what was asked for.
class lane {
 public:
  explicit lane(unsigned threads, std::size_t waiting_max = std::numeric_limits<std::size_t>::max())
      : waiting_max_(waiting_max), pool_(threads) {}
  ~lane() { pool_.join(); }

  // Finishes what was asked for; what is asked for later is not done.
  void stop() { pool_.join(); }

  // The work may be move-only. False: as much waits as may, and the work is left as it was.
  template <class Work>
  bool post(Work&& work) {
    if (waiting_.fetch_add(1, std::memory_order_relaxed) >= waiting_max_) {
      waiting_.fetch_sub(1, std::memory_order_relaxed);
      return false;
    }
    boost::asio::post(pool_, [this, work = std::forward<Work>(work)]() mutable {
      waiting_.fetch_sub(1, std::memory_order_relaxed);
      work();
    });
    return true;
  }

  std::size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> waiting_{0};  // asked for and not yet begun
  const std::size_t waiting_max_;
  boost::asio::thread_pool pool_;
};

// The lanes to the store. What is asked for on one never waits for another.
struct store_lanes {
  // Finishes what was asked for.
  void stop() {
    for (auto* one : {&quick, &pages, &longer, &writes}) one->stop();
  }

  static constexpr std::size_t longer_max = 256;  // waiting; past it server.busy
  static constexpr std::size_t writes_max = 1024;

  // Single rows: who asks, heads, records of idempotency. As many wait as there are requests.
  lane quick{2};
  // Bounded pieces: of streams, pages of events and of the session list.
  lane pages{2};
  // What looks at much: searches, histories, usage, exports.
  lane longer{2, longer_max};
  // What waits for the disk to sync. The store takes one write at a time, so one thread does.
  lane writes{1, writes_max};
};

}  // namespace soma::app
