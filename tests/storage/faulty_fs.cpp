#include "faulty_fs.hpp"

#include <rocksdb/system_clock.h>

#include <filesystem>
#include <thread>

namespace soma::storage::testing {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class faulty_file final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  faulty_file(faulty_fs& fs, std::string name, std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)), fs_(fs), name_(std::move(name)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* dbg) override {
    const auto verdict = fs_.verdict(faulty_fs::append);
    const Slice taken(data.data(), verdict.ok() ? data.size() : data.size() / 2);
    const auto s = target()->Append(taken, options, dbg);
    if (s.ok()) fs_.has_appended(name_, taken.size());
    return verdict.ok() ? s : verdict;
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* dbg) override {
    return Append(data, options, dbg);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* dbg) override {
    if (auto verdict = fs_.verdict(faulty_fs::sync); !verdict.ok()) return verdict;
    const auto s = target()->Sync(options, dbg);
    if (s.ok()) fs_.has_synced(name_);
    return s;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    return Sync(options, dbg);
  }

 private:
  faulty_fs& fs_;
  const std::string name_;
};

class faulty_folder final : public rocksdb::FSDirectoryWrapper {
 public:
  faulty_folder(faulty_fs& fs, std::string name, std::unique_ptr<rocksdb::FSDirectory> folder)
      : FSDirectoryWrapper(std::move(folder)), fs_(fs), name_(std::move(name)) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    return FsyncWithDirOptions(options, dbg, {});
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* dbg,
                               const rocksdb::DirFsyncOptions& how) override {
    if (auto verdict = fs_.verdict(faulty_fs::folder_sync); !verdict.ok()) return verdict;
    const auto s = FSDirectoryWrapper::FsyncWithDirOptions(options, dbg, how);
    if (s.ok()) fs_.has_synced_folder(name_);
    return s;
  }

 private:
  faulty_fs& fs_;
  const std::string name_;
};

class no_sleep final : public rocksdb::SystemClockWrapper {
 public:
  no_sleep() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  const char* Name() const override { return "no_sleep"; }
  void SleepForMicroseconds(int) override { std::this_thread::yield(); }
};

// Threads and the like are the default environment's.
class quick_env final : public rocksdb::EnvWrapper {
 public:
  explicit quick_env(std::unique_ptr<rocksdb::Env> on_disk) : EnvWrapper(std::move(on_disk)) {
    file_system_ = target()->GetFileSystem();
    system_clock_ = std::make_shared<no_sleep>();
  }
  const char* Name() const override { return "quick_env"; }
};

std::string plain(const std::string& name) {
  return std::filesystem::path(name).lexically_normal().string();
}

}  // namespace

std::unique_ptr<rocksdb::Env> impatient_env(const std::shared_ptr<faulty_fs>& disk) {
  return std::make_unique<quick_env>(rocksdb::NewCompositeEnv(disk));
}

IOStatus faulty_fs::full() {
  auto s = IOStatus::NoSpace("told to be full");
  s.SetRetryable(true);  // as the real one's
  return s;
}

void faulty_fs::fail_from(std::uint64_t n, IOStatus how, unsigned kinds) {
  std::lock_guard lock(mutex_);
  until_failure_ = n;
  how_ = std::move(how);
  kinds_ = kinds;
  once_ = failed_ = false;
}

void faulty_fs::fail_once(std::uint64_t n, IOStatus how, unsigned kinds) {
  fail_from(n, std::move(how), kinds);
  std::lock_guard lock(mutex_);
  once_ = true;
}

void faulty_fs::heal() {
  std::lock_guard lock(mutex_);
  kinds_ = 0;
}

bool faulty_fs::has_failed() const {
  std::lock_guard lock(mutex_);
  return failed_;
}

IOStatus faulty_fs::verdict(op kind) {
  std::lock_guard lock(mutex_);
  if (!(kinds_ & kind)) return IOStatus::OK();
  if (until_failure_ > 1) {
    --until_failure_;
    return IOStatus::OK();
  }
  failed_ = true;
  if (once_) kinds_ = 0;
  return how_;
}

void faulty_fs::has_appended(const std::string& name, std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  files_[plain(name)].written += bytes;
}

void faulty_fs::has_synced(const std::string& name) {
  std::lock_guard lock(mutex_);
  auto& file = files_[plain(name)];
  file.synced = file.written;
}

void faulty_fs::has_synced_folder(const std::string& name) {
  std::lock_guard lock(mutex_);
  const auto folder = std::filesystem::path(plain(name + "/."));
  for (auto& [path, file] : files_)
    if (std::filesystem::path(path).parent_path() == folder.parent_path()) file.name_synced = true;
}

void faulty_fs::lose_unsynced(std::mt19937_64& random) {
  std::lock_guard lock(mutex_);
  for (const auto& [path, file] : files_) {
    std::error_code ec;
    const auto size = std::filesystem::file_size(path, ec);
    if (ec) continue;
    if (!file.name_synced && random() % 2) {
      std::filesystem::remove(path);
      continue;
    }
    // Above `written` there is only what was there before this run.
    const auto kept = file.synced + random() % (file.written - file.synced + 1);
    if (kept < size) std::filesystem::resize_file(path, kept);
  }
  files_.clear();
  kinds_ = 0;
}

IOStatus faulty_fs::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    IODebugContext* dbg) {
  if (auto bad = verdict(create); !bad.ok()) return bad;
  auto s = target()->NewWritableFile(name, options, file, dbg);
  if (!s.ok()) return s;
  *file = std::make_unique<faulty_file>(*this, name, std::move(*file));
  std::lock_guard lock(mutex_);
  files_[plain(name)] = {};
  return s;
}

IOStatus faulty_fs::ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       IODebugContext* dbg) {
  if (auto bad = verdict(create); !bad.ok()) return bad;
  std::error_code ec;
  const auto size = std::filesystem::file_size(name, ec);
  auto s = target()->ReopenWritableFile(name, options, file, dbg);
  if (!s.ok()) return s;
  *file = std::make_unique<faulty_file>(*this, name, std::move(*file));
  std::lock_guard lock(mutex_);
  if (!ec) files_.try_emplace(plain(name), file_state{size, size, true});
  return s;
}

IOStatus faulty_fs::NewDirectory(const std::string& name, const IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* folder,
                                 IODebugContext* dbg) {
  auto s = target()->NewDirectory(name, options, folder, dbg);
  if (s.ok()) *folder = std::make_unique<faulty_folder>(*this, name, std::move(*folder));
  return s;
}

IOStatus faulty_fs::RenameFile(const std::string& from, const std::string& to,
                               const IOOptions& options, IODebugContext* dbg) {
  if (auto bad = verdict(rename); !bad.ok()) return bad;
  std::error_code ec;
  const bool replaces = std::filesystem::exists(to, ec);
  auto s = target()->RenameFile(from, to, options, dbg);
  if (!s.ok()) return s;
  std::lock_guard lock(mutex_);
  if (auto at = files_.extract(plain(from))) {
    at.mapped().name_synced = replaces;
    at.key() = plain(to);
    files_.erase(at.key());
    files_.insert(std::move(at));
  }
  return s;
}

IOStatus faulty_fs::DeleteFile(const std::string& name, const IOOptions& options,
                               IODebugContext* dbg) {
  if (auto bad = verdict(remove); !bad.ok()) return bad;
  auto s = target()->DeleteFile(name, options, dbg);
  std::lock_guard lock(mutex_);
  if (s.ok()) files_.erase(plain(name));
  return s;
}

}  // namespace soma::storage::testing
