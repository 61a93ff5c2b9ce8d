#include "storage/store_repair.hpp"

#include <rocksdb/wal_filter.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <map>

#include "storage/rocksdb_event_log.hpp"
#include "storage/store_files.hpp"
#include "storage/store_log.hpp"
#include "storage/store_rebuild.hpp"

namespace soma::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t tables_named_max = 100;
constexpr std::size_t batch_header_bytes = 12;  // a sequence number and a count

// What the MANIFEST says of the logs: RocksDB tells it to a filter before it replays any.
struct log_numbers final : rocksdb::WalFilter {
  std::map<std::uint32_t, std::uint64_t> needed_from;  // by column family: older logs are in tables
  std::map<std::string, std::uint32_t> family_ids;

  void ColumnFamilyLogNumberMap(const std::map<std::uint32_t, std::uint64_t>& numbers,
                                const std::map<std::string, std::uint32_t>& ids) override {
    needed_from = numbers;
    family_ids = ids;
  }
  WalProcessingOption LogRecordFound(unsigned long long, const std::string&,
                                     const rocksdb::WriteBatch&, rocksdb::WriteBatch*,
                                     bool*) override {
    return WalProcessingOption::kStopReplay;
  }
  const char* Name() const override { return "log_numbers"; }

  bool any_beyond(std::uint64_t log) const {
    return std::any_of(needed_from.begin(), needed_from.end(),
                       [&](const auto& f) { return f.second > log; });
  }
  bool all_beyond(std::uint64_t log) const {
    return std::all_of(needed_from.begin(), needed_from.end(),
                       [&](const auto& f) { return f.second > log; });
  }
};

result<void> learn_log_numbers(const std::string& folder, log_numbers& numbers) {
  std::vector<std::string> names;
  const auto env = env_without_tables(false);
  rocksdb::Options how;
  how.env = env.get();
  how.paranoid_checks = false;  // whatever the tables are
  how.info_log = make_store_log(folder);
  how.wal_filter = &numbers;
  how.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  if (const auto s = rocksdb::DB::ListColumnFamilies(how, folder, &names); !s.ok())
    return error_of(s);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const auto& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const auto s = rocksdb::DB::OpenForReadOnly(how, folder, families, &handles, &db);
  const std::unique_ptr<rocksdb::DB> owned(db);
  for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle);
  // With a damaged log it fails, but has told what we came for.
  if (!numbers.needed_from.empty()) return {};
  return s.ok() ? error(codes::storage_unavailable, "the store does not tell its logs")
                : error_of(s);
}

// Gathers the events that a commit in a log wrote.
class event_gatherer final : public rocksdb::WriteBatch::Handler {
 public:
  explicit event_gatherer(std::uint32_t events_family) : events_family_(events_family) {}

  void gather(std::string_view commit) {
    if (commit.size() >= batch_header_bytes)
      (void)rocksdb::WriteBatch(std::string(commit)).Iterate(this);
  }
  struct written {
    std::uint64_t events = 0;
    event_id last;
  };
  const std::map<session_key, written>& found() const { return found_; }

  rocksdb::Status PutCF(std::uint32_t family, const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    if (family != events_family_ || key.size() < 8) return rocksdb::Status::OK();
    const auto session = parse_session_prefix(view(key).substr(0, key.size() - 8));
    const auto event = parse_event_value(view(value));
    if (!session || !event) return rocksdb::Status::OK();
    auto& one = found_[*session];
    ++one.events;
    one.last = {event->epoch, seq_of(view(key))};
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(std::uint32_t, const rocksdb::Slice&) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteRangeCF(std::uint32_t, const rocksdb::Slice&,
                                const rocksdb::Slice&) override {
    return rocksdb::Status::OK();
  }

 private:
  const std::uint32_t events_family_;
  std::map<session_key, written> found_;
};

std::string new_folder(const std::string& data_dir) {
  const auto now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
  auto folder = data_dir + "/repair-" + stamp;
  for (int n = 2; fs::exists(folder); ++n)
    folder = data_dir + "/repair-" + stamp + "-" + std::to_string(n);
  return folder;
}

class repair {
 public:
  repair(std::string data_dir, sealed_values* sealed)
      : data_dir_(std::move(data_dir)), store_(store_folder(data_dir_)), sealed_(sealed) {}

  result<repair_report> run() {
    {
      const auto lock = store_lock::take(rocksdb::Env::Default(), data_dir_);
      if (!lock) return lock.error();
      if (auto ok = examine(); !ok) return ok.error();
      if (!report_.files.empty())
        if (auto ok = cut(); !ok) return ok.error();
      if (auto ok = rebuild_around_damage(); !ok) return ok.error();
      if (report_.files.empty() && report_.tables.empty()) return report_;
    }
    if (auto ok = compare_with_what_is_left(); !ok) return ok.error();
    return report_;
  }

 private:
  // What is damaged, and what would go with it. Changes nothing but zeros at a torn end.
  result<void> examine() {
    if (auto damage = find_manifest_damage(store_, record_check::everything)) return *damage;
    const auto logs = wal_files(store_);
    if (logs.empty()) return {};
    if (auto ok = learn_log_numbers(store_, numbers_); !ok) return ok;
    event_gatherer lost(numbers_.family_ids[family_names[events]]);
    std::string last_commit;
    for (const auto& log : logs) {
      const bool needed = !numbers_.all_beyond(log.number);
      const bool behind = needed && cut_.has_value();
      const auto state =
          check_record_file(log.path, record_check::everything, [&](const found_record& record) {
            if (!needed) return;
            if (!behind && !record.behind_damage) {
              last_commit = record.payload;
            } else {
              ++report_.commits_lost;
              lost.gather(record.payload);
            }
          });
      if (!state) return state.error();
      if (state->zeros_from && !behind)
        if (auto ok = cut_file(log.path, *state->zeros_from); !ok) return ok;  // as an opening does
      if (!behind && !state->damage) continue;
      repair_report::log_file file{log.name, "comes behind the damage", state->size, 0};
      if (!needed) {
        file.why = state->damage->what + ", but all of it is in tables";
      } else if (!behind) {
        if (numbers_.any_beyond(log.number))
          return error(codes::storage_corrupt,
                       log.path + " is damaged at byte " + std::to_string(state->damage->offset) +
                           ", and a part of it is in tables already: restore a backup");
        file.why = state->damage->what;
        file.bytes_kept = state->good_bytes;
        cut_ = report_.files.size();
      }
      report_.files.push_back(file);
    }
    for (const auto& [key, events] : lost.found())
      report_.sessions.push_back({key, events.events, {}});
    event_gatherer kept(numbers_.family_ids[family_names[events]]);
    kept.gather(last_commit);
    for (const auto& [key, events] : kept.found())
      report_.last_commit.push_back({key, events.last});
    return {};
  }

  // The log that is cut comes last: until then the store does not open, and this can begin again.
  result<void> cut() {
    report_.folder = new_folder(data_dir_);
    const auto path = [&](const auto& file) { return store_ + "/" + file.name; };
    const auto copy = [&](const auto& file) { return report_.folder + "/" + file.name; };
    try {
      fs::create_directory(report_.folder);
      for (std::size_t n = report_.files.size(); n-- > 0;) {
        const auto& file = report_.files[n];
        if (n != cut_) fs::rename(path(file), copy(file));
      }
      if (cut_) {
        const auto& file = report_.files[*cut_];
        fs::copy_file(path(file), copy(file));
        if (auto ok = cut_file(copy(file), file.bytes); !ok) return ok;  // syncs it
      }
      if (!sync_folder(report_.folder) || !sync_folder(data_dir_) || !sync_folder(store_))
        return error(codes::storage_unavailable, "cannot sync " + report_.folder);
      if (cut_) return cut_file(path(report_.files[*cut_]), report_.files[*cut_].bytes_kept);
    } catch (const std::exception& e) {  // of std::filesystem
      return error(codes::storage_unavailable,
                   std::string("the repair has stopped, begin it again: ") + e.what());
    }
    return {};
  }

  result<void> rebuild_around_damage() {
    const auto damaged = find_damaged_tables(store_);
    if (!damaged) return damaged.error();
    for (const auto& one : *damaged)
      if (report_.tables.size() < tables_named_max) report_.tables.push_back(one.what.detail);
    if (report_.tables.empty()) return {};
    if (report_.folder.empty()) report_.folder = new_folder(data_dir_);
    return rebuild_store(data_dir_, report_.folder, *damaged, sealed_, report_);
  }

  result<void> compare_with_what_is_left() {
    store_options options;
    options.data_dir = data_dir_;
    const auto log = open_rocksdb_event_log(options);
    if (!log)
      return error(log.error().code,
                   log.error().detail + "; the damaged logs are in " + report_.folder);
    for (auto& session : report_.sessions)
      if (const auto head = (*log)->head(session.key)) session.last_kept = head->last_id();
    return {};
  }

  const std::string data_dir_, store_;
  sealed_values* const sealed_;
  log_numbers numbers_;
  repair_report report_;
  std::optional<std::size_t> cut_;  // of the files: the others go whole
};

}  // namespace

result<repair_report> repair_store(const std::string& data_dir, sealed_values* sealed) {
  std::error_code ec;
  if (!fs::is_directory(store_folder(data_dir), ec))
    return error(codes::storage_unavailable, "there is no store in " + data_dir);
  return repair(data_dir, sealed).run();
}

result<void> verify_store(const std::string& data_dir,
                          const std::function<bool(std::uint64_t)>& goes_on) {
  const auto lock = store_lock::take(rocksdb::Env::Default(), data_dir);
  if (!lock) return lock.error();
  if (auto damage = find_damage(store_folder(data_dir), record_check::everything)) return *damage;
  if (auto damage = find_damaged_table(store_folder(data_dir), goes_on)) return *damage;
  return {};
}

}  // namespace soma::storage
