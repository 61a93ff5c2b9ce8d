#include "backup/backup_keeper.hpp"

#include <system_error>

#include "core/codes.hpp"
#include "core/may_block.hpp"
#include "core/thread_name.hpp"
#include "core/time.hpp"
#include "observability/log.hpp"

namespace soma::backup {

using state = keeper_status::state;

std::string_view to_string(state state) {
  constexpr std::string_view names[] = {"none", "running", "done", "failed"};
  return names[static_cast<std::size_t>(state)];
}

backup_keeper::backup_keeper(backup_sources from, keeper_options options)
    : from_(std::move(from)), options_(std::move(options)) {
  forget_unfinished(from_.data_dir);
}

backup_keeper::~backup_keeper() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void backup_keeper::stop() {
  stopping_ = true;
}

bool backup_keeper::take_turn() {
  const std::lock_guard lock(mutex_);
  if (status_.what == state::running || stopping_) return false;
  status_ = {};
  status_.what = state::running;
  status_.started_at_ms = now_ms();
  return true;
}

result<void> backup_keeper::begin() {
  if (options_.folder.empty())
    return error(codes::backup_not_set_up, "backup.folder says where backups go, and is empty");
  if (stopping_) return error(codes::backup_stopped, "the server is stopping");
  if (!take_turn()) return error(codes::backup_under_way, "a backup is being made", 10);
  if (thread_.joinable()) thread_.join();  // of the one before, which has ended
  try {
    thread_ = std::thread([this] { run_as_configured(); });
  } catch (const std::system_error& e) {
    const std::lock_guard lock(mutex_);
    status_.what = state::failed;
    status_.why = std::string("no thread is to be had: ") + e.what();
    return error(codes::server_busy, status_.why, 10);
  }
  return {};
}

void backup_keeper::run_as_configured() {
  name_this_thread("backup");
  this_thread_may_block();
  backup_options wanted;
  wanted.folder = options_.folder;
  wanted.bytes_per_s = options_.bytes_per_s;
  wanted.keep = options_.keep;
  (void)run(std::move(wanted), nullptr);
}

result<backup_made> backup_keeper::make(const std::string& folder, std::size_t keep,
                                        const std::function<bool(const progress&)>& goes_on,
                                        std::vector<left_out>* damaged) {
  if (!take_turn()) return error(codes::backup_under_way, "a backup is being made", 10);
  backup_options wanted;
  wanted.folder = folder;
  wanted.bytes_per_s = options_.bytes_per_s;
  wanted.keep = keep;
  wanted.goes_on = goes_on;
  return run(std::move(wanted), damaged);
}

result<backup_made> backup_keeper::run(backup_options wanted, std::vector<left_out>* damaged) {
  auto asked = std::move(wanted.goes_on);
  wanted.goes_on = [&](const progress& now) {
    {
      const std::lock_guard lock(mutex_);
      status_.so_far = now;
    }
    return !stopping_ && (!asked || asked(now));
  };
  auto made = make_backup(from_, wanted, damaged);
  const std::lock_guard lock(mutex_);
  status_.ended_at_ms = now_ms();
  status_.what = made ? state::done : state::failed;
  if (made) {
    status_.backup_id = made->info.id;
    status_.so_far = {made->info.files, made->info.bytes, made->info.new_bytes};
    log(log_level::info, "backup.made",
        {{"backup_id", made->info.id},
         {"files", made->info.files},
         {"bytes", made->info.bytes},
         {"new_bytes", made->info.new_bytes},
         {"left_out", made->without.size()}});
    if (!made->not_forgotten.empty())
      log(log_level::warn, "backup.old_kept", {{"detail", made->not_forgotten}});
  } else {
    status_.why = made.error().detail;
    log(log_level::error, "backup.failed", {{"detail", made.error().detail}});
  }
  return made;
}

keeper_status backup_keeper::now() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

result<known_backups> backup_keeper::list() const {
  if (options_.folder.empty())
    return error(codes::backup_not_set_up, "backup.folder says where backups go, and is empty");
  return list_backups(options_.folder);
}

}  // namespace soma::backup
