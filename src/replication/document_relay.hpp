// Gives documents that other partitions brought their place in the partition of documents, as long
// as this node owns that (cluster/document_order.hpp), and tells who waits for one's turn, whoever
// gave it.
//
// Threads: one of its own; members are thread-safe. `send` waits for nothing but the store.
// Lifetime: the host outlives `stop`; whoever still waits then is told at once that nobody knows.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "cluster/document_order.hpp"
#include "replication/replica_host.hpp"

namespace soma::replication {

class document_relay {
 public:
  explicit document_relay(replica_host& host);
  ~document_relay() { stop(); }
  void stop();

  // All that waits here is on its way when this returns, in front of what the caller writes next.
  // Errors: cluster.not_owner, server.busy, those of the store.
  result<void> send();

  // How it was judged there; none: not within `wait`. Called on any thread, perhaps before this
  // returns, which must not be kept waiting.
  using derived = std::function<void(const std::optional<cluster::judgement>&)>;
  void when_derived(const cluster::source_tag& tag, std::chrono::milliseconds wait, derived then);

  // Whether this node, as their owner, had sent all that waited at some moment so long ago at most.
  bool has_derived_all_within(std::chrono::steady_clock::duration wait) const;

 private:
  using clock = std::chrono::steady_clock;
  struct waiter {
    cluster::source_tag tag;
    clock::time_point until;
    derived then;
  };

  void run();
  result<void> send_of(std::uint32_t partition);
  void had_its_turn(const cluster::source_tag& tag, const cluster::judgement& judged);
  void tell_late();

  replica_host& host_;

  std::mutex sending_;  // of what follows
  cluster::derived_so_far so_far_;
  std::vector<std::uint64_t> looked_at_;  // partition_rows::waits_noted, where nothing was left
  std::uint32_t epoch_ = 0;
  // Something that was sent was not written: shared with those that say so.
  const std::shared_ptr<std::atomic<bool>> lost_ = std::make_shared<std::atomic<bool>>(false);
  std::atomic<clock::time_point> all_sent_{clock::time_point::min()};

  std::mutex mutex_;  // of what follows; never held while somebody is told
  std::condition_variable wake_;
  std::vector<waiter> waiting_;
  // Those that nobody waited for, the newest: who asks may have read its own record later.
  using place = std::pair<std::uint32_t, cluster::log_offset>;
  std::map<place, cluster::judgement> recent_;
  std::deque<place> recent_in_order_;
  bool poked_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace soma::replication
