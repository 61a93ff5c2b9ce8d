// Opening the store: options, recovery, format, epoch.
#include <fcntl.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <filesystem>
#include <mutex>

#include "storage/rocksdb_event_log.hpp"
#include "storage/rocksdb_testing.hpp"

namespace soma::storage {
namespace {

constexpr std::uint64_t format_version = 1;
constexpr std::int64_t epoch_origin_s = 1'577'836'800;  // 2020-01-01: epochs fit 32 bits until 2156
constexpr int exit_code_fatal = 70;

void exit_at_once(const error& why) {
  std::fprintf(stderr, "soma: the store failed and nothing more is acknowledged: %s\n",
               why.detail.c_str());
  _exit(exit_code_fatal);
}

// RocksDB's own log file, watched: only there does it name the WAL that it finds damaged.
class watched_log final : public rocksdb::Logger {
 public:
  explicit watched_log(std::shared_ptr<rocksdb::Logger> file)
      : Logger(file->GetInfoLogLevel()), file_(std::move(file)) {}

  using Logger::Logv;
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    constexpr std::string_view mark = ": dropping ";
    if (level == rocksdb::InfoLogLevel::WARN_LEVEL &&
        std::string_view(format).find(mark) != std::string_view::npos) {
      char line[1024];
      va_list copy;
      va_copy(copy, arguments);
      std::vsnprintf(line, sizeof line, format, copy);
      va_end(copy);
      std::lock_guard lock(mutex_);
      damaged_ = std::string_view(line).substr(0, std::string_view(line).find(mark));
    }
    file_->Logv(level, format, arguments);
  }
  size_t GetLogFileSize() const override { return file_->GetLogFileSize(); }
  void Flush() override { file_->Flush(); }

  std::string damaged_file() const {
    std::lock_guard lock(mutex_);
    return damaged_;
  }

 protected:
  rocksdb::Status CloseImpl() override { return file_->Close(); }

 private:
  const std::shared_ptr<rocksdb::Logger> file_;
  mutable std::mutex mutex_;
  std::string damaged_;
};

// What RocksDB's words for a store that does not open mean.
error refusal(const rocksdb::Status& opened, const std::string& data_dir, const std::string& path,
              const std::string& damaged_wal) {
  const auto text = opened.ToString();
  const auto says = [&](const char* words) { return text.find(words) != std::string::npos; };
  if (opened.IsCorruption())
    return {codes::storage_corrupt, "the store in " + path + " is damaged" +
                                        (damaged_wal.empty() ? "" : ", in " + damaged_wal) + ": " +
                                        text};
  if (opened.IsIOError() && (says("While lock file: ") || says("lock hold by current process")))
    return {codes::storage_locked, "another process has the data folder " + data_dir + " open"};
  if (opened.IsInvalidArgument() && says("Column families not opened"))
    return {codes::storage_format, "the store in " + path + " is of a newer version: " + text};
  if (opened.IsNoSpace())
    return {codes::storage_full, "the store in " + path + " cannot be opened: " + text};
  return {codes::storage_unavailable, "the store in " + path + " cannot be opened: " + text};
}

// Makes the names in a folder durable. Some file systems cannot, and need not.
bool sync_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool good = ::fsync(fd) == 0 || errno == EINVAL;
  ::close(fd);
  return good;
}

}  // namespace

rocksdb_event_log::rocksdb_event_log(const store_options& options, rocksdb::Env* env)
    : options_(options), env_(env), cache_(rocksdb::NewLRUCache(options.block_cache_bytes)) {
  if (!options_.on_fatal) options_.on_fatal = exit_at_once;
  sync_.sync = !options_.unsafe_no_fsync;
}

rocksdb_event_log::~rocksdb_event_log() {
  for (auto* handle : families_) db_->DestroyColumnFamilyHandle(handle);
}

rocksdb::Options rocksdb_event_log::database_options() const {
  rocksdb::Options o;
  o.create_if_missing = true;
  o.create_missing_column_families = true;
  o.env = env_;
  // The default drops acknowledged writes behind a damaged record without a word.
  o.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  o.paranoid_checks = true;
  o.max_total_wal_size = 64u << 20;  // bounds what a restart replays
  o.db_write_buffer_size = 48u << 20;
  o.max_background_jobs = 2;
  o.keep_log_file_num = 4;
  o.max_log_file_size = 1u << 20;
  o.max_open_files = 512;
  o.bytes_per_sync = 1u << 20;
  return o;
}

rocksdb::ColumnFamilyOptions rocksdb_event_log::family_options(family f) const {
  static const auto filter =
      std::shared_ptr<const rocksdb::FilterPolicy>(rocksdb::NewBloomFilterPolicy(10));
  rocksdb::ColumnFamilyOptions o;
  o.write_buffer_size = f == events ? 32u << 20 : 8u << 20;
  o.compression = rocksdb::kLZ4Compression;
  o.bottommost_compression = rocksdb::kZSTD;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache_;
  table.block_size = 16u << 10;
  table.cache_index_and_filter_blocks = true;  // so that the cache's size bounds the memory
  if (f != events && f != recency) table.filter_policy = filter;
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return o;
}

result<void> rocksdb_event_log::open() {
  std::error_code ec;
  std::filesystem::create_directories(options_.data_dir, ec);
  if (ec)
    return error(codes::storage_unavailable,
                 "cannot make the folder " + options_.data_dir + ": " + ec.message());
  std::vector<rocksdb::ColumnFamilyDescriptor> wanted;
  for (std::size_t f = 0; f < family_count; ++f)
    wanted.emplace_back(family_names[f], family_options(static_cast<family>(f)));
  rocksdb::DB* db = nullptr;
  const auto path = options_.data_dir + "/store";
  auto how = database_options();
  std::shared_ptr<rocksdb::Logger> log_file;
  std::shared_ptr<watched_log> log;
  if (rocksdb::CreateLoggerFromOptions(path, how, &log_file).ok() && log_file)
    how.info_log = log = std::make_shared<watched_log>(std::move(log_file));
  const auto opened = rocksdb::DB::Open(how, path, wanted, &families_, &db);
  if (!opened.ok())
    return refusal(opened, options_.data_dir, path, log ? log->damaged_file() : std::string());
  db_.reset(db);
  if (auto ok = check_format(); !ok) return ok;
  // RocksDB syncs its own folder, not the ones that lead to it.
  const auto folder = std::filesystem::absolute(options_.data_dir, ec);
  if (!options_.unsafe_no_fsync && !(sync_folder(folder) && sync_folder(folder.parent_path())))
    return error(codes::storage_unavailable, "cannot sync the folder " + options_.data_dir);
  if (auto ok = begin_epoch(); !ok) return ok;
  return drop_left_over_stages();
}

result<void> rocksdb_event_log::check_format() {
  auto found = get(meta, "format");
  if (!found) return found.error();
  if (*found) {
    const auto version = get_number(**found);
    if (version == format_version) return {};
    return error(codes::storage_format, "the store has format " + std::to_string(version) +
                                            ", this program reads format " +
                                            std::to_string(format_version));
  }
  std::string value;
  put_number(value, format_version, 8);
  const auto s = db_->Put(sync_, families_[meta], "format", value);
  if (!s.ok()) return error_of(s);
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
  const auto next = std::max(last + 1, since);
  std::string value;
  put_number(value, next, 8);
  const auto s = db_->Put(sync_, families_[meta], "epoch", value);
  if (!s.ok()) return error_of(s);
  epoch_ = static_cast<std::uint32_t>(next);
  next_outbox_ = next << 32;  // behind every row of an earlier epoch
  return {};
}

result<void> rocksdb_event_log::drop_left_over_stages() {
  rocksdb::WriteBatch batch;
  const iterator it(db_->NewIterator({}, families_[staging]));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const auto prefix = it->key().ToString();
    batch.DeleteRange(families_[events], prefix, after_prefix(prefix));
    batch.Delete(families_[staging], prefix);
  }
  if (!it->status().ok()) return error_of(it->status());
  return batch.Count() > 0 ? write(batch, sync_) : result<void>();
}

result<std::unique_ptr<event_log>> open_rocksdb_event_log_on(const store_options& options,
                                                             rocksdb::Env* env) {
  auto log = std::make_unique<rocksdb_event_log>(options, env);
  if (auto opened = log->open(); !opened) return opened.error();
  return std::unique_ptr<event_log>(std::move(log));
}

result<std::unique_ptr<event_log>> open_rocksdb_event_log(const store_options& options) {
  return open_rocksdb_event_log_on(options, rocksdb::Env::Default());
}

}  // namespace soma::storage
