// Compares what is remembered here with what SomaBrain acknowledged, and has sent again what it did
// not: after it was set up, after its rows were lost, whenever somebody asks. A thread looks by
// itself at the start and from then on regularly.
//
// Thread-safe; blocks on the store, whose errors it has. Lifetime: the store outlives it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "memory/item.hpp"
#include "storage/event_log.hpp"

namespace soma::memory {

struct sync_outcome {
  std::uint64_t looked_at = 0;  // items
  std::uint64_t queued = 0;     // of them, to be sent
  std::uint64_t gone = 0;       // ids without an item, of which SomaBrain will be told
};

class memory_sync {
 public:
  // `told`: what came of a look of its own that found something.
  memory_sync(storage::event_log& log, std::int64_t every_ms,
              std::function<void(const result<sync_outcome>&)> told);
  ~memory_sync();
  memory_sync(const memory_sync&) = delete;

  // Of one tenant, thoroughly: also ids that lost their item without SomaBrain hearing of it. One
  // look at a time: errors also server.busy, where another is under way or this stops.
  result<sync_outcome> look(const tenant_id& tenant);
  // Ends what is under way soon, and begins no more. Does not wait for it. Any thread.
  void stop();

 private:
  using known_rows = std::unordered_set<std::uint64_t>;
  void run();
  result<sync_outcome> look_at(const std::string& prefix);
  result<known_rows> waiting() const;
  result<void> queue_items(const std::string& prefix, const known_rows& waiting, sync_outcome& out);
  result<void> queue_gone(const std::string& prefix, sync_outcome& out);
  void end_look();
  bool stopping() const;

  storage::event_log& log_;
  const std::int64_t every_ms_;
  const std::function<void(const result<sync_outcome>&)> told_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false, looking_ = false;
  std::thread thread_;  // the last
};

}  // namespace soma::memory
