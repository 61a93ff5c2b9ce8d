// Usage in the event log's store: what the ledger settled is added to what is there, in one write
// for all that waits. A crash loses what was settled in the last moments; of a session's calls the
// log still tells.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "llm/usage_ledger.hpp"
#include "storage/event_log.hpp"

namespace soma::models {

class usage_store {
 public:
  // Runs a job on the writer's thread, later.
  using run_on_writer = std::function<void(std::function<result<void>(storage::event_log&)>)>;

  usage_store(llm::usage_ledger& ledger, run_on_writer run)
      : ledger_(ledger), run_(std::move(run)) {}

  // At start: fills the ledger with today's counts. Blocks.
  static result<void> restore(const storage::event_log& log, llm::usage_ledger& ledger,
                              std::int64_t now_ms);

  // Any thread; one job is on its way at a time.
  void save_soon();

  // The rows of a tenant's day, at most so many. Blocks.
  static result<std::vector<std::pair<llm::usage_key, llm::usage_count>>> rows(
      const storage::event_log& log, const tenant_id& tenant, const std::string& day,
      std::size_t rows_max);

  // Bounds what is kept of the past: of days before the last `days_by_session` the sessions are
  // added together, and days before the last `days_kept` go. At most rows_max rows at once; returns
  // how many went. Blocks.
  static constexpr int days_by_session = 100, days_kept = 1100;  // reports span 92 days
  static result<std::size_t> fold(storage::event_log& log, std::int64_t now_ms,
                                  std::size_t rows_max);

  // Now, on the thread that may write.
  result<void> save(storage::event_log& log);

 private:
  llm::usage_ledger& ledger_;
  const run_on_writer run_;
  std::atomic<bool> saving_{false};
};

}  // namespace soma::models
