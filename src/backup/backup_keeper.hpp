// The backups of a running node: one at a time, on a thread of its own, whoever asks for it.
//
// Thread-safe. Lifetime: the log outlives it. The destructor stops what is under way, which leaves
// nothing of it but contents that the next one finds there.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "backup/backup.hpp"
#include "backup/restore.hpp"
#include "core/error.hpp"

namespace soma::backup {

struct keeper_options {
  std::string folder;  // backup.folder; empty: only who runs the server names one, by `make`
  std::uint64_t bytes_per_s = 0;
  std::size_t keep = 0;
};

struct keeper_status {
  enum class state : std::uint8_t { none, running, done, failed };
  state what = state::none;  // of the last one since the start
  std::int64_t started_at_ms = 0, ended_at_ms = 0;
  progress so_far;
  std::string backup_id, why;  // of done; of failed
};
std::string_view to_string(keeper_status::state state);

class backup_keeper {
 public:
  backup_keeper(backup_sources from, keeper_options options);
  ~backup_keeper();

  // Begins one in the folder of the configuration, and returns at once. Errors: backup.not_set_up,
  // backup.under_way.
  result<void> begin();
  // Makes one on the caller's thread, in a folder of his choice.
  result<backup_made> make(const std::string& folder, std::size_t keep,
                           const std::function<bool(const progress&)>& goes_on,
                           std::vector<left_out>* damaged);
  keeper_status now() const;
  // Those of the configuration's folder. Blocks on the disk. Error: backup.not_set_up.
  result<known_backups> list() const;
  // Ends what is under way soon, and refuses what is asked for later.
  void stop();

 private:
  bool take_turn();
  void run_as_configured();
  result<backup_made> run(backup_options wanted, std::vector<left_out>* damaged);

  const backup_sources from_;
  const keeper_options options_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  keeper_status status_;
  std::thread thread_;
};

}  // namespace soma::backup
