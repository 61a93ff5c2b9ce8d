// Threads that stand before the store, so that no io thread touches the disk: one lane for each
// kind of work, so that what is quick never waits behind what is long or behind a disk that syncs.
#pragma once

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>

#include "core/by_turns.hpp"
#include "core/ids.hpp"

namespace soma::app {

// Thread-safe. Whoever has work here has their turn: however much waits for one, what another asks
// for waits for a round. The work of one is taken in order, and refused while as much waits as may
// in all. The destructor finishes what was asked for.
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
    return post(std::string(), std::forward<Work>(work));
  }
  template <class Work>
  bool post(const std::string& whose, Work&& work) {
    if (waiting_.fetch_add(1, std::memory_order_relaxed) >= waiting_max_) {
      waiting_.fetch_sub(1, std::memory_order_relaxed);
      return false;
    }
    auto one = std::make_unique<job_of<std::decay_t<Work>>>(std::forward<Work>(work));
    {
      const std::lock_guard lock(mutex_);
      jobs_.push(whose, std::move(one));
    }
    boost::asio::post(pool_, [this] { run_next(); });
    return true;
  }

  std::size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  struct job {
    virtual ~job() = default;
    virtual void run() = 0;
  };
  template <class Work>
  struct job_of final : job {
    explicit job_of(Work w) : work(std::move(w)) {}
    void run() override { work(); }
    Work work;
  };

  void run_next() {
    std::unique_lock lock(mutex_);
    const auto one = jobs_.pop();
    lock.unlock();
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    one->run();
  }

  std::atomic<std::size_t> waiting_{0};  // asked for and not yet begun
  const std::size_t waiting_max_;
  std::mutex mutex_;
  by_turns<std::unique_ptr<job>> jobs_;
  boost::asio::thread_pool pool_;
};

// Whose turn work is: a tenant's own, and what goes on for long, such as an export, has another,
// behind which nothing quick of the same tenant waits.
inline std::string turn_of(const tenant_id& tenant) {
  return tenant.value;
}
inline std::string long_turn_of(const tenant_id& tenant) {
  return tenant.value + "\nlong";
}

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
