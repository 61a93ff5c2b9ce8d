// Opening the store: options, recovery, format, epoch.
#include <poll.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "storage/patient_fs.hpp"
#include "storage/rocksdb_event_log.hpp"
#include "storage/rocksdb_testing.hpp"
#include "storage/store_files.hpp"
#include "storage/store_log.hpp"

namespace soma::storage {
namespace {

constexpr std::uint64_t format_version = 1;
constexpr std::int64_t epoch_origin_s = 1'577'836'800;  // 2020-01-01: epochs fit 32 bits until 2156
constexpr std::uint64_t epoch_max = UINT32_MAX;  // a clock beyond it is wrong, and not believed
constexpr std::uint64_t clock_behind_s = 60;

// Where the last row of the same prefix went into a memtable, the next one goes beside it, without
// a search from the top: an event behind the one before, a head before its older self.
class hint_prefix final : public rocksdb::SliceTransform {
 public:
  explicit hint_prefix(bool of_events) : of_events_(of_events) {}
  const char* Name() const override { return "soma.hint_prefix"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    if (!of_events_) return key;
    const auto prefix = prefix_of_event({key.data(), key.size()});
    return {prefix.data(), prefix.size()};
  }
  // Hints of points and of ranges would mix: what begins a deletion of a range must be none.
  bool InDomain(const rocksdb::Slice& key) const override {
    return !of_events_ || !prefix_of_event({key.data(), key.size()}).empty();
  }

 private:
  const bool of_events_;
};

void exit_at_once(const error& why) {
  // Whoever does not read standard error must not keep a process that has to end.
  pollfd unread{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&unread, 1, 1000) == 1 && (unread.revents & POLLOUT))
    ::dprintf(STDERR_FILENO, "soma: the store failed and nothing more is acknowledged: %.1000s\n",
              why.detail.c_str());
  _exit(exit_code_fatal);
}

std::optional<std::uint64_t> free_bytes_of(const std::string& folder) {
  struct statvfs disk {};
  if (statvfs(folder.c_str(), &disk) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

// Whoever cannot start must hear what to do.
std::optional<error> damaged_table_with_advice(const std::string& path) {
  const auto damaged = find_damaged_tables(path);
  if (!damaged)  // the MANIFEST does not tell them, and soma repair knows no more than it
    return error(damaged.error().code, damaged.error().detail + "; restore a backup");
  if (damaged->empty()) return std::nullopt;
  auto damage = damaged->front().what;
  damage.detail +=
      "; soma repair writes the store anew without what is lost by it, and keeps this one";
  return damage;
}

// What RocksDB's words for a store that does not open mean.
error refusal(const rocksdb::Status& opened, const std::string& path) {
  const auto text = opened.ToString();
  if (opened.IsInvalidArgument() && text.find("Column families not opened") != std::string::npos)
    return {codes::storage_format, "the store in " + path + " is of a newer version: " + text};
  // RocksDB does not always say which file is damaged.
  if (opened.IsCorruption()) {
    if (auto damage = find_damage(path, record_check::everything)) return *damage;
    if (auto damage = damaged_table_with_advice(path)) return *damage;
  }
  auto why = error_of(opened);
  if (why.code == codes::storage_full)
    why.detail = "the disk of " + path + " has no room for a start, which writes a little: make " +
                 "room (" + text + ")";
  else
    why.detail = "the store in " + path + " cannot be opened: " + text;
  return why;
}

// Few and large: a table of small rows has a filter and an index of up to half a megabyte each,
// which in a shard of that size push one another out and are read anew for every row that is looked
// up.
constexpr int cache_shard_bits = 2;

}  // namespace

rocksdb_event_log::rocksdb_event_log(const store_options& options, const store_seams& seams)
    : options_(options),
      seams_(seams),
      cache_(rocksdb::NewLRUCache(options.block_cache_bytes, cache_shard_bits, false, 0.5)) {
  if (!options_.on_fatal) options_.on_fatal = exit_at_once;
  if (!seams_.free_bytes) seams_.free_bytes = free_bytes_of;
  sync_.sync = !options_.unsafe_no_fsync;
}

rocksdb_event_log::~rocksdb_event_log() {
  stop_compacting_ = true;
  janitor_.end();
  guard_.end();
  close_database();
}

rocksdb::Status rocksdb_event_log::open_database(bool read_only) {
  std::vector<rocksdb::ColumnFamilyDescriptor> wanted;
  for (std::size_t f = 0; f < family_count; ++f)
    wanted.emplace_back(family_names[f], family_options(static_cast<family>(f)));
  rocksdb::DB* db = nullptr;
  const auto path = store_folder(options_.data_dir);
  const auto how = database_options();
  // Only opening it for writing makes families that a store of an older version lacks: the last.
  if (read_only) {
    std::vector<std::string> there;
    if (auto s = rocksdb::DB::ListColumnFamilies(how, path, &there); !s.ok()) return s;
    while (std::find(there.begin(), there.end(), wanted.back().name) == there.end())
      wanted.pop_back();
  }
  const auto s = read_only ? rocksdb::DB::OpenForReadOnly(how, path, wanted, &families_, &db)
                           : rocksdb::DB::Open(how, path, wanted, &families_, &db);
  db_.reset(db);
  return s;
}

void rocksdb_event_log::close_database() {
  if (db_)
    for (auto* handle : families_) db_->DestroyColumnFamilyHandle(handle);
  families_.clear();
  db_.reset();
}

rocksdb::Options rocksdb_event_log::database_options() const {
  rocksdb::Options o;
  o.create_if_missing = true;
  o.create_missing_column_families = true;
  o.env = seams_.env;
  o.info_log = log_file_;
  // The default drops acknowledged writes behind a damaged record without a word: right where they
  // are read again, with the place, from logs elsewhere. Such a store syncs nothing, so that a loss
  // of power leaves holes.
  o.wal_recovery_mode = options_.follows_logs
                            ? rocksdb::WALRecoveryMode::kPointInTimeRecovery
                            : rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  o.paranoid_checks = !seams_.salvage;
  if (seams_.salvage) o.verify_sst_unique_id_in_manifest = false;  // stand-ins have others
  o.max_bgerror_resume_count = 0;  // a failed write is never tried again, a full disk left by us
  o.listeners.push_back(make_listener());
  // The only reason to flush, for all families with rows in a WAL at once: were one's tables ahead
  // of the others', cutting a damaged WAL would tear commits apart. Bounds memtables, and what a
  // restart replays. (atomic_flush would say so more plainly, but in 7.8 hangs after a full disk.)
  o.max_total_wal_size = tight_ ? 3 * seams_.wal_bytes : seams_.wal_bytes;
  o.avoid_flush_during_recovery = tight_;
  o.allow_fallocate = !quiet_;                // takes megabytes ahead, for the log and the manifest
  o.allow_concurrent_memtable_write = false;  // one writer, and hints are not for several
  o.max_background_jobs = 2;
  o.max_open_files = options_.open_files_max;
  o.bytes_per_sync = 1u << 20;
  return o;
}

rocksdb::ColumnFamilyOptions rocksdb_event_log::family_options(family f) const {
  static const auto filter =
      std::shared_ptr<const rocksdb::FilterPolicy>(rocksdb::NewBloomFilterPolicy(10));
  rocksdb::ColumnFamilyOptions o;
  o.write_buffer_size = 4 * seams_.wal_bytes;  // never reached
  o.disable_auto_compactions = quiet_;
  o.compression = rocksdb::kLZ4Compression;
  o.bottommost_compression = rocksdb::kZSTD;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache_;
  table.block_size = 16u << 10;
  table.cache_index_and_filter_blocks = true;  // so that the cache's size bounds the memory
  table.cache_index_and_filter_blocks_with_high_priority = true;
  // To salvage rows no filter is needed, which might be damaged.
  if (f != events && f != recency && !seams_.salvage) table.filter_policy = filter;
  // Never `documents`, where ranges are deleted.
  if (f == events || f == sessions)
    o.memtable_insert_with_hint_prefix_extractor = std::make_shared<hint_prefix>(f == events);
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return o;
}

// What a loss of power left of the last write. RocksDB would take zeros behind a part of a record
// for damage, and steps over others.
result<void> rocksdb_event_log::drop_torn_zeros(const std::string& path) {
  if (options_.follows_logs) {
    if (auto damage = find_manifest_damage(path, record_check::headers)) return *damage;
    if (auto damage = find_damage(path, record_check::headers))
      tell(damage->detail + ": what is behind it is read from the cluster's logs again");
    return {};
  }
  std::vector<torn_log> torn;
  if (auto damage = find_damage(path, record_check::headers, &torn)) return *damage;
  for (const auto& log : torn) {
    if (auto ok = cut_file(log.path, log.zeros_from); !ok) return ok;
    tell(log.path + " ended in " + std::to_string(log.bytes - log.zeros_from) +
         " bytes of zeros, as a loss of power leaves them: what was being written then was never " +
         "acknowledged, and is dropped");
  }
  return {};
}

result<void> rocksdb_event_log::open() {
  const auto path = store_folder(options_.data_dir);
  std::error_code ec;
  std::filesystem::create_directories(path, ec);
  if (ec)
    return error(codes::storage_unavailable,
                 "cannot make the folder " + path + ": " + ec.message());
  {
    const auto lock = store_lock::take(seams_.env, options_.data_dir);
    if (!lock) return lock.error();
    if (auto ok = drop_torn_zeros(path); !ok) return ok;
  }
  log_file_ = make_store_log(path);
  // Tables that a failed recovery leaves take the room that the next one needs.
  tight_ = lacks_room_to_recover(0);
  quiet_ = lacks_room_to_recover(2 * seams_.wal_bytes);
  auto opened = open_database(false);
  if (opened.IsNoSpace() && !tight_) {  // for tables; what is deleted next may make some
    tight_ = quiet_ = true;
    opened = open_database(false);
  }
  if (!opened.ok()) return refusal(opened, path);
  auto begun = begin();
  if (!begun && begun.error().code == codes::storage_full) {  // a compaction took it meanwhile
    owes_space_ = true;                                       // so that there is none
    begun = leave_full_disk(room::for_deleting);
    if (begun) begun = begin();
  }
  if (!begun && begun.error().code == codes::storage_corrupt)
    if (auto damage = damaged_table_with_advice(path)) return *damage;
  if (!begun) return begun;
  if (const auto full = disk_refuses())
    tell(full->detail + ": nothing is taken but deletions until there is room");
  guard_.begin();
  janitor_.begin();
  const std::lock_guard lock(write_mutex_);
  owes_space_ = tight_ || !deleted_.empty() || any_deletions();
  reclaim_in(seams_.reclaim_after);  // of what was deleted before the last stop
  return begun;
}

result<void> rocksdb_event_log::begin() {
  if (auto ok = check_format(); !ok) return ok;
  // RocksDB syncs its own folder, not the ones that lead to it.
  std::error_code ec;
  const auto folder = std::filesystem::absolute(options_.data_dir, ec);
  if (!options_.unsafe_no_fsync &&
      !(sync_folder(folder.string()) && sync_folder(folder.parent_path().string())))
    return error(codes::storage_unavailable, "cannot sync the folder " + options_.data_dir);
  if (auto ok = check_whose(); !ok) return ok;
  if (auto ok = begin_epoch(); !ok) return ok;
  return options_.follows_logs ? result<void>() : drop_left_over_stages();
}

result<void> rocksdb_event_log::check_format() {
  auto found = get(meta, "format");
  if (!found) return found.error();
  if (*found) {
    const auto version = get_number(**found);
    if (version == format_version) return {};
    const auto by = get(meta, "release");
    const bool told = by && *by;
    return error(codes::storage_format,
                 "the store has format " + std::to_string(version) +
                     ", this program reads format " + std::to_string(format_version) +
                     ": it needs " +
                     (told ? "release " + **by + " or a later one, which has had it open last"
                           : std::string("a newer release")));
  }
  std::string value;
  put_number(value, format_version, 8);
  const auto s = db_->Put(sync_, families_[meta], "format", value);
  if (!s.ok()) return error_of(s);
  return {};
}

// A store that decides for itself and one that follows logs are never the same: what one of them
// wrote the other would contradict.
result<void> rocksdb_event_log::check_whose() {
  const iterator rows(db_->NewIterator({}, families_[meta])),
      own(db_->NewIterator({}, families_[sessions]));
  rows->Seek(slice(replica_prefix));
  own->SeekToFirst();
  for (const auto* it : {&rows, &own})
    if (!(*it)->status().ok()) return error_of((*it)->status());
  const bool followed = rows->Valid() && rows->key().starts_with(slice(replica_prefix));
  if (followed && !options_.follows_logs)
    return error(codes::storage_format,
                 "the store is one of a cluster's node: it is opened with kafka.brokers alone");
  if (!followed && own->Valid() && options_.follows_logs)
    return error(codes::storage_format,
                 "the store has sessions of its own, which no log of the cluster has: a cluster "
                 "begins with an empty folder");
  return {};
}

// Larger than any before, also of a store that a backup brought back: ids are never given twice.
result<void> rocksdb_event_log::begin_epoch() {
  auto found = get(meta, "epoch");
  if (!found) return found.error();
  const std::uint64_t last = *found ? get_number(**found) : 0;
  using namespace std::chrono;
  const auto now_s = duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
  const auto since = static_cast<std::uint64_t>(std::max<std::int64_t>(1, now_s - epoch_origin_s));
  const auto next = since > epoch_max ? last + 1 : std::max(last + 1, since);
  // Each opening takes one: a few beyond the clock are openings within a second.
  if (last > since + clock_behind_s || since > epoch_max)
    tell("the clock is wrong, or was: the store was opened at a time that " +
         (since > epoch_max ? std::string("no clock should show")
                            : "is " + std::to_string(last - since) + " s ahead of it"));
  if (next > epoch_max) return error(codes::storage_format, "the store has no epoch left");
  if (!options_.release.empty())  // synced with the epoch
    if (const auto s = db_->Put({}, families_[meta], "release", options_.release); !s.ok())
      return error_of(s);
  std::string value;
  put_number(value, next, 8);
  const auto s = db_->Put(sync_, families_[meta], "epoch", value);
  if (!s.ok()) return error_of(s);
  epoch_ = static_cast<std::uint32_t>(next);
  // Behind every row of an earlier epoch: those would have to be 2^32 a second to get here.
  next_outbox_ = next << 32;
  return {};
}

result<void> rocksdb_event_log::drop_left_over_stages() {
  rocksdb::WriteBatch batch;
  iterator it(db_->NewIterator({}, families_[staging]));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const auto prefix = it->key().ToString();
    batch.DeleteRange(families_[events], prefix, after_prefix(prefix));
    batch.Delete(families_[staging], prefix);
    if (const auto key = parse_session_prefix(prefix)) deleted_.insert(*key);
  }
  if (!it->status().ok()) return error_of(it->status());
  it.reset();
  return batch.Count() > 0 ? write(batch, sync_) : result<void>();
}

result<std::unique_ptr<event_log>> open_rocksdb_event_log_on(const store_options& options,
                                                             const store_seams& seams) {
  auto log = std::make_unique<rocksdb_event_log>(options, seams);
  if (auto opened = log->open(); !opened) return opened.error();
  return std::unique_ptr<event_log>(std::move(log));
}

result<std::unique_ptr<replica_store>> open_rocksdb_replica_store(const store_options& options) {
  store_seams seams;
  seams.env = common_env();
  auto follows = options;
  follows.follows_logs = true;
  auto log = std::make_unique<rocksdb_event_log>(follows, seams);
  if (auto opened = log->open(); !opened) return opened.error();
  return std::unique_ptr<replica_store>(std::move(log));
}

result<std::unique_ptr<event_log>> open_rocksdb_event_log(const store_options& options) {
  store_seams seams;
  seams.env = common_env();
  return open_rocksdb_event_log_on(options, seams);
}

}  // namespace soma::storage
