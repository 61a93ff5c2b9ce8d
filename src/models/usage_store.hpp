// Usage in the event log's store: what the ledger settled is added to what is there, by a thread of
// its own, which waits a moment for more so that one synced write has all of it. A crash loses what
// was settled in the last moments; of a session's calls the log still tells.
//
// Thread-safe. Lifetime: ledger and log outlive it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "llm/usage_ledger.hpp"
#include "storage/event_log.hpp"

namespace soma::models {

class usage_store {
 public:
  // How long what was settled waits for more.
  static constexpr std::chrono::milliseconds gathered_for{50};

  // `node`: whose counts these are, where several share the log.
  usage_store(llm::usage_ledger& ledger, storage::event_log& log, std::string node = {})
      : ledger_(ledger), log_(log), node_(std::move(node)), thread_([this] { run(); }) {}
  // Saves nothing more.
  ~usage_store() { stop(); }
  usage_store(const usage_store&) = delete;

  // At start: fills the ledger with today's counts. Blocks.
  static result<void> restore(const storage::event_log& log, llm::usage_ledger& ledger,
                              std::int64_t now_ms);

  // The ledger has something to save. Never waits for the disk.
  void save_soon();
  // Ends the thread, then saves what is left. Blocks. Errors: those of the store.
  result<void> close();

  // The rows of a tenant's day, at most so many; one key has one of each node. Blocks.
  static result<std::vector<std::pair<llm::usage_key, llm::usage_count>>> rows(
      const storage::event_log& log, const tenant_id& tenant, const std::string& day,
      std::size_t rows_max);

  // Bounds what is kept of the past: of days before the last `days_by_session` the sessions are
  // added together, and days before the last `days_kept` go. At most rows_max rows at once; returns
  // how many went. Blocks.
  static constexpr int days_by_session = 100, days_kept = 1100;  // reports span 92 days
  static result<std::size_t> fold(storage::event_log& log, std::int64_t now_ms,
                                  std::size_t rows_max);

 private:
  void run();
  void stop();
  result<void> save();

  llm::usage_ledger& ledger_;
  storage::event_log& log_;
  const std::string node_;
  std::mutex mutex_;  // of what follows; not held over the disk
  std::condition_variable changed_;
  bool wanted_ = false, stopping_ = false;
  std::thread thread_;  // the last: it uses the others
};

}  // namespace soma::models
