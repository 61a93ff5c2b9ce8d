// Threads that stand before the store, so that no io thread touches the disk: one pool for each
// kind of work, so that what is quick never waits behind what is long or behind a disk that syncs.
// A read for a stream copies a bounded piece, already as frames; nothing is held in the store
// between two reads.
#pragma once

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>

#include "core/ids.hpp"
#include "storage/event_log.hpp"

namespace soma::http {

struct chunk_request {
  session_key key;
  std::uint64_t after_seq = 0;
  std::uint64_t head_seq = 0;  // published already, so the log must reach it; 0: not known
  std::uint32_t types = 0;     // as in storage::read_options
  bool compact = false;
  bool chunked = true;                 // each frame as a chunk
  std::size_t bytes_max = 256 * 1024;  // of events; one event may pass it
};

struct log_chunk {
  enum class outcome {
    frames,   // bytes, possibly none, and everything up to reached_seq is dealt with
    reset,    // a reset deleted what comes after after_seq
    deleted,  // the session is gone
    gap,      // events are missing that nothing allows to be missing: a defect
    failed,   // the store cannot be read
  };
  outcome what = outcome::failed;
  std::string bytes;
  std::uint64_t frames = 0;
  std::uint64_t reached_seq = 0;
  bool closes = false;  // the last frame is session.close
  bool at_end = false;  // reached_seq was the log's head, below are its marks
  std::uint64_t first_seq = 1;
};

// Reads one chunk on the calling thread. A hole in the log is legal where the filter leaves events
// out, and below the compaction mark, where retention trims.
log_chunk read_chunk(const storage::event_log& log, const chunk_request& request);

// Thread-safe. `done` is called on a pool thread and must only post. Requests are taken in order,
// and refused while as many wait as may. The destructor finishes what was asked for.
class reader_pool {
 public:
  reader_pool(const storage::event_log& log, unsigned threads,
              std::size_t waiting_max = std::numeric_limits<std::size_t>::max())
      : waiting_max_(waiting_max), log_(log), pool_(threads) {}
  ~reader_pool() { pool_.join(); }

  // Finishes what was asked for; what is asked for later is not done.
  void stop() { pool_.join(); }

  void read(chunk_request request, std::function<void(log_chunk)> done);

  // For other work on the store; it may be move-only. False: as many wait as may, and the work is
  // left as it was.
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
  const storage::event_log& log_;
  boost::asio::thread_pool pool_;
};

// The lanes to the store. What is asked for on one never waits for another.
struct store_lanes {
  explicit store_lanes(const storage::event_log& log)
      : quick(log, 2), pages(log, 2), longer(log, 2, longer_max), writes(log, 1, writes_max) {}
  // Finishes what was asked for.
  void stop() {
    for (auto* lane : {&quick, &pages, &longer, &writes}) lane->stop();
  }

  // Single rows: who asks, heads, records of idempotency. As many wait as there are requests.
  reader_pool quick;
  // Bounded pieces: of streams, pages of events and of the session list.
  reader_pool pages;
  // What looks at much: searches, histories, usage, exports.
  reader_pool longer;
  // What waits for the disk to sync. The store takes one write at a time, so one thread does.
  reader_pool writes;

  static constexpr std::size_t longer_max = 256;  // waiting; past it server.busy
  static constexpr std::size_t writes_max = 1024;
};

}  // namespace soma::http
