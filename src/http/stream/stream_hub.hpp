// All streams of one io thread. A wake-up of the thread drains each feed that was published once
// and writes the same shared frames to every reader of it; one timer serves all of them.
//
// Threads: one hub an io_context, which one thread runs; everything is called on that thread, but
// the constructor and counters(). Lifetime: registry and pool outlive the hub; the io_context has
// stopped running, and the pool's reads have ended, before the hub is destroyed.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <unordered_map>
#include <vector>

#include "app/lanes.hpp"
#include "core/by_turns.hpp"
#include "core/session_feed.hpp"
#include "http/stream/identity_ties.hpp"
#include "http/stream/log_chunk.hpp"
#include "http/stream/sse_stream.hpp"

namespace soma::http {

struct sse_options {
  std::uint32_t heartbeat_ms = 15'000;  // sse.heartbeat_s
  std::uint32_t stall_ms = 300'000;     // sse.stall_s
  unsigned retry_min_ms = 1'000, retry_max_ms = 2'500;
  std::size_t gather_frames = 64;  // of one write, at most 64
  std::size_t gather_bytes = 256 * 1024;
  // Of the log, read at once for a reader that is behind. With the frames' heads it stays below
  // what malloc maps apart (node/memory_keeper): each larger one is faulted in page by page.
  std::size_t chunk_bytes = 80 * 1024;
  std::size_t held_bytes_max = 32 << 20;  // chunks that slow readers may hold on to, a thread
  std::size_t reads_max = 32;             // chunks on their way at once, a thread
};

// Counted by the hub's thread alone and read by any: needs no locked instruction.
class thread_count {
 public:
  void operator+=(std::uint64_t n) noexcept { value_.store(load() + n, std::memory_order_relaxed); }
  void operator++() noexcept { *this += 1; }
  void operator--() noexcept { *this += static_cast<std::uint64_t>(-1); }
  std::uint64_t load() const noexcept { return value_.load(std::memory_order_relaxed); }
  operator std::uint64_t() const noexcept { return load(); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct sse_counters {
  thread_count open, opened;
  thread_count frames, bytes, writes, chunks, heartbeats;
  thread_count gaps;           // internal errors: alarm on any
  thread_count read_failures;  // the store could not be read
  thread_count stalled;        // dropped after stall_ms
  thread_count overrun;        // ephemeral streams dropped as too slow
};

struct hub_feed {  // a feed's streams on this thread
  std::shared_ptr<session_feed> feed;
  std::vector<std::shared_ptr<sse_stream>> streams;
  std::uint64_t seen_seq = 0;  // where the next drain begins
  shared_bytes heartbeat;      // of heartbeat_tick
  std::uint64_t heartbeat_tick = 0;
};

class stream_hub {
 public:
  stream_hub(boost::asio::io_context& io, unsigned thread, feed_registry& registry,
             const app::log_reader& log, app::lane& lane, const sse_options& options);
  ~stream_hub();
  stream_hub(const stream_hub&) = delete;
  stream_hub& operator=(const stream_hub&) = delete;

  // Takes the connection over; its request is read and answered by nobody else.
  void open(client_socket socket, const stream_request& request, connection_slot slot = {});

  // Cuts the streams that were opened with an identity that is gone, and those that are about to
  // be: their request was let in before. Their clients come again, and are told 401. Any thread.
  void end_with(const stream_owner& gone);
  // Cuts those of a session whose owners do not see it any more, and those that are about to be.
  // Their clients come again, and are told 404. Any thread.
  void end_unseen(const session_key& key, session_audience now);
  // For what else ends with its identity, on this thread.
  identity_ties& ties() { return ties_; }

  // Streams send what is durable and end; `done` is called when none is left. What then still hangs
  // is for close_all().
  void drain(std::function<void()> done);
  void close_all();

  const sse_counters& counters() const { return counters_; }

  // For its streams.
  sse_counters& counters() { return counters_; }
  const sse_options& options() const { return options_; }
  std::vector<feed_frame>& scratch() { return scratch_; }
  bool draining() const { return draining_; }
  std::uint32_t now_ms() const { return now_ms_; }  // of the last tick; wraps
  std::uint32_t tick_ms() const { return tick_ms_; }
  shared_bytes heartbeat(hub_feed& feed);
  void read(std::shared_ptr<sse_stream> stream, chunk_request request);
  // Chunks that streams hold until they are sent.
  void retain(std::size_t bytes) { held_bytes_ += bytes; }
  void release(std::size_t bytes) { held_bytes_ -= bytes; }
  bool over_budget() const { return held_bytes_ > options_.held_bytes_max; }
  void remove(sse_stream& stream);

 private:
  struct waiting_read {
    std::weak_ptr<sse_stream> stream;
    chunk_request request;
  };

  hub_feed& join(const stream_request& request);
  std::string preface(const stream_request& request);
  void wake();
  void drain_feeds();
  void drain_feed(hub_feed& entry);
  void cut_streams_of(const stream_owner& gone);
  void cut_unseen(const session_key& key, session_audience now);
  bool is_unseen(const stream_request& request) const;
  void start_read(std::weak_ptr<sse_stream> stream, chunk_request request);
  void on_chunk(const std::weak_ptr<sse_stream>& stream, log_chunk chunk);
  void arm_timer();
  void tick();
  void reap();
  std::uint32_t clock_ms() const;

  boost::asio::io_context& io_;
  const unsigned thread_;
  feed_registry& registry_;
  const app::log_reader log_;
  app::lane& lane_;  // to the log
  const sse_options options_;
  const std::uint32_t tick_ms_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer rest_timer_;
  std::chrono::steady_clock::time_point rested_at_;  // before it no feed is drained
  bool rests_ = false;
  std::uint32_t now_ms_ = 0;
  std::uint64_t ticks_ = 0;
  std::minstd_rand jitter_;
  sse_counters counters_;

  std::unordered_map<const session_feed*, hub_feed> feeds_;  // addresses stay valid
  std::vector<feed_frame> scratch_, batch_;
  std::vector<std::shared_ptr<sse_stream>> closed_;  // to be reaped
  std::size_t reads_ = 0;
  by_turns<waiting_read> waiting_reads_;
  std::size_t held_bytes_ = 0;
  identity_ties ties_;
  // Who sees sessions whose sharing was changed a moment ago, longer than any request is on its way
  // from being let in to its stream.
  static constexpr std::size_t changed_max = 4096;
  static constexpr std::uint64_t changed_kept_ms = 60'000;
  struct changed_sight {
    session_key key;
    session_audience now;
    std::uint64_t at_ms;
  };
  std::deque<changed_sight> changed_;  // the newest last
  bool draining_ = false;
  std::function<void()> drained_;
};

}  // namespace soma::http
