// soma backup and soma restore.
#include <cstdio>
#include <filesystem>

#include "backup/backup.hpp"
#include "backup/repository.hpp"
#include "backup/restore.hpp"
#include "cli/commands.hpp"
#include "core/codes.hpp"
#include "core/shown_text.hpp"
#include "core/time.hpp"
#include "node/backup.hpp"
#include "storage/event_log.hpp"

namespace soma {
namespace {

int refuse(const error& why) {
  std::fprintf(stderr, "soma: %s\n", terminal_text(why.detail).c_str());
  return 1;
}

int tell_made(const std::string& folder, const std::string& summary) {
  std::printf("Backed up to %s, %s.\n", folder.c_str(), summary.c_str());
  return 0;
}

int tell_checked(const char* did, const backup::backup_info& info) {
  std::printf("%s %s of %s, made by soma %s: %llu files, %llu bytes.\n", did, info.id.c_str(),
              format_rfc3339(info.made_at_ms).c_str(), info.version.c_str(),
              static_cast<unsigned long long>(info.files),
              static_cast<unsigned long long>(info.bytes));
  return 0;
}

// Of the store that a running server has open.
int have_it_made(const std::string& data_dir, const backup_options& wanted) {
  if (wanted.leave_out_damaged)
    return refuse({codes::storage_locked,
                   "--leave-out-damaged is for a server that does not run: stop it first"});
  std::error_code ec;
  const auto folder = std::filesystem::absolute(wanted.folder, ec).string();
  const auto made = ask_for_backup(data_dir, folder, wanted.keep, [](const std::string& line) {
    std::fprintf(stderr, "%s\n", terminal_text(line).c_str());
  });
  if (!made) return refuse(made.error());
  // A server that sees other folders than we do, as a service of systemd does, made it elsewhere.
  const auto id = made->substr(0, made->find(':'));
  if (!std::filesystem::exists(backup::manifest_path(folder, id), ec))
    return refuse({codes::storage_unavailable,
                   "the server made " + id + ", and it is not in " + folder +
                       " as seen from here: the server sees another folder of that name"});
  return tell_made(wanted.folder, *made);
}

}  // namespace

int back_up(const config_sources& from, const backup_options& wanted) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  storage::store_options options;
  options.data_dir = settings->text("storage.data_dir");
  std::error_code ec;
  if (!std::filesystem::exists(options.data_dir, ec))
    return refuse({codes::storage_unavailable, "there is no folder " + options.data_dir});
  auto log = storage::open_rocksdb_event_log(options);
  if (log) backup::forget_unfinished(options.data_dir);
  if (!log && log.error().code == codes::storage_locked)
    return have_it_made(options.data_dir, wanted);
  if (!log) return refuse(log.error());
  backup::backup_options with;
  with.folder = wanted.folder;
  with.leave_out_damaged = wanted.leave_out_damaged;
  with.keep = wanted.keep;
  std::vector<backup::left_out> damaged;
  const auto made = backup::make_backup(backup_sources_of(*settings, **log), with, &damaged);
  for (const auto& one : damaged)
    std::fprintf(stderr, "soma: %s: %s\n", terminal_text(one.path).c_str(), one.why.c_str());
  return made ? tell_made(wanted.folder, summary_of(*made)) : refuse(made.error());
}

int restore(const restore_command& wanted) {
  backup::restore_options from;
  from.folder = wanted.folder;
  from.id = wanted.backup_id;
  if (wanted.check_only) {
    const auto whole = backup::check_backup(from);
    return whole ? tell_checked("Whole:", *whole) : refuse(whole.error());
  }
  if (wanted.list) {
    const auto known = backup::list_backups(wanted.folder);
    if (!known) return refuse(known.error());
    for (const auto& one : known->all) tell_checked("", one);
    for (const auto& one : known->damaged) std::fprintf(stderr, "soma: %s\n", one.c_str());
    return known->damaged.empty() ? 0 : 1;
  }
  const auto restored = backup::restore_backup(from, wanted.data_dir);
  if (!restored) return refuse(restored.error());
  tell_checked("Restored", *restored);
  std::printf(
      "Start with the same GATEWAY_ENC_KEY as before: secrets of providers cannot be read without "
      "it. Where storage.encrypt_events is on, put your copy of tenant-keys/ into the folder "
      "first.\n");
  return 0;
}

}  // namespace soma
