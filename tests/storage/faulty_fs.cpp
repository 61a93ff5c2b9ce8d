#include "faulty_fs.hpp"

#include <rocksdb/system_clock.h>

#include <filesystem>
#include <thread>

namespace soma::storage::testing {
namespace {

namespace fs = std::filesystem;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus status_of(faulty_fs::fate fate, const faulty_fs& fs) {
  return fate == faulty_fs::fate::failed ? fs.failure() : IOStatus::OK();
}

// What a dead machine believes that it writes.
class no_file final : public rocksdb::FSWritableFile {
 public:
  using FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    size_ += data.size();
    return IOStatus::OK();
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Truncate(std::uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }
  std::uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return size_; }

 private:
  std::uint64_t size_ = 0;
};

class faulty_file final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  faulty_file(faulty_fs& fs, std::string name, std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)), fs_(fs), name_(std::move(name)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* dbg) override {
    const bool was_dead = fs_.has_failed();
    const auto fate = fs_.fate_of(faulty_fs::append);
    if (fate == faulty_fs::fate::dead && was_dead) return IOStatus::OK();
    const bool whole = fate == faulty_fs::fate::done;
    const Slice taken(data.data(), whole ? data.size() : data.size() / 2);
    const auto s = target()->Append(taken, options, dbg);
    if (s.ok()) fs_.has_appended(name_, taken.size());
    return fate == faulty_fs::fate::failed ? fs_.failure() : s;
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* dbg) override {
    return Append(data, options, dbg);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* dbg) override {
    const auto fate = fs_.fate_of(faulty_fs::sync);
    if (fate != faulty_fs::fate::done) return status_of(fate, fs_);
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
  faulty_folder(faulty_fs& fs, std::unique_ptr<rocksdb::FSDirectory> folder)
      : FSDirectoryWrapper(std::move(folder)), fs_(fs) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    return FsyncWithDirOptions(options, dbg, {});
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* dbg,
                               const rocksdb::DirFsyncOptions& how) override {
    const auto fate = fs_.fate_of(faulty_fs::folder_sync);
    if (fate != faulty_fs::fate::done) return status_of(fate, fs_);
    const auto s = FSDirectoryWrapper::FsyncWithDirOptions(options, dbg, how);
    if (s.ok()) fs_.has_synced_folder();
    return s;
  }

 private:
  faulty_fs& fs_;
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
  return fs::path(name).lexically_normal().string();
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
  once_ = failed_ = power_cut_ = false;
}

void faulty_fs::cut_power_at(std::uint64_t n) {
  fail_from(n, IOStatus::OK(), all);
  std::lock_guard lock(mutex_);
  power_cut_ = true;
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

faulty_fs::fate faulty_fs::fate_of(op kind) {
  std::lock_guard lock(mutex_);
  if (!(kinds_ & kind)) return fate::done;
  if (until_failure_ > 1) {
    --until_failure_;
    return fate::done;
  }
  failed_ = true;
  if (once_) kinds_ = 0;
  return power_cut_ ? fate::dead : fate::failed;
}

IOStatus faulty_fs::failure() const {
  std::lock_guard lock(mutex_);
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

// There is but one folder: that of the store.
void faulty_fs::has_synced_folder() {
  std::lock_guard lock(mutex_);
  for (const auto& change : names_)
    if (!change.saved.empty()) fs::remove(change.saved);
  names_.clear();
}

std::string faulty_fs::save(const std::string& path) {
  const auto graveyard = fs::path(path).parent_path().parent_path() / "graveyard";
  fs::create_directories(graveyard);
  auto saved = (graveyard / std::to_string(++saves_)).string();
  fs::create_hard_link(path, saved);
  return saved;
}

void faulty_fs::undo(const name_change& change) {
  if (change.deleted) {
    files_[change.created] = *change.deleted;
  } else if (!change.renamed_from.empty()) {
    fs::rename(change.created, change.renamed_from);
    files_[change.renamed_from] = files_[change.created];
    files_.erase(change.created);
  } else {
    fs::remove(change.created);
    files_.erase(change.created);
  }
  if (!change.saved.empty()) fs::rename(change.saved, change.created);
}

void faulty_fs::lose_unsynced(std::mt19937_64& random) {
  std::lock_guard lock(mutex_);
  for (auto lost = random() % (names_.size() + 1); lost > 0; --lost) {
    undo(names_.back());
    names_.pop_back();
  }
  for (const auto& [path, file] : files_) {
    const auto kept = file.synced + random() % (file.written - file.synced + 1);
    if (fs::exists(path) && kept < fs::file_size(path)) fs::resize_file(path, kept);
  }
  for (const auto& change : names_)
    if (!change.saved.empty()) fs::remove(change.saved);
  names_.clear();
  files_.clear();
  kinds_ = 0;
}

IOStatus faulty_fs::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    IODebugContext* dbg) {
  if (const auto what = fate_of(create); what != fate::done) {
    if (what == fate::dead) *file = std::make_unique<no_file>();
    return status_of(what, *this);
  }
  auto s = target()->NewWritableFile(name, options, file, dbg);
  if (!s.ok()) return s;
  *file = std::make_unique<faulty_file>(*this, name, std::move(*file));
  std::lock_guard lock(mutex_);
  files_[plain(name)] = {};
  names_.push_back({plain(name), {}, {}, {}});
  return s;
}

IOStatus faulty_fs::ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       IODebugContext* dbg) {
  if (const auto what = fate_of(create); what != fate::done) {
    if (what == fate::dead) *file = std::make_unique<no_file>();
    return status_of(what, *this);
  }
  std::error_code ec;
  const auto size = fs::file_size(name, ec);
  auto s = target()->ReopenWritableFile(name, options, file, dbg);
  if (!s.ok()) return s;
  *file = std::make_unique<faulty_file>(*this, name, std::move(*file));
  std::lock_guard lock(mutex_);
  if (!ec) files_.try_emplace(plain(name), file_state{size, size});
  return s;
}

IOStatus faulty_fs::NewDirectory(const std::string& name, const IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* folder,
                                 IODebugContext* dbg) {
  auto s = target()->NewDirectory(name, options, folder, dbg);
  if (s.ok()) *folder = std::make_unique<faulty_folder>(*this, std::move(*folder));
  return s;
}

IOStatus faulty_fs::RenameFile(const std::string& from, const std::string& to,
                               const IOOptions& options, IODebugContext* dbg) {
  if (const auto what = fate_of(rename); what != fate::done) return status_of(what, *this);
  std::lock_guard lock(mutex_);
  std::error_code ec;
  const auto saved = fs::exists(to, ec) ? save(plain(to)) : std::string();
  auto s = target()->RenameFile(from, to, options, dbg);
  if (!s.ok()) return s;
  names_.push_back({plain(to), plain(from), saved, {}});
  files_[plain(to)] = files_[plain(from)];
  files_.erase(plain(from));
  return s;
}

IOStatus faulty_fs::DeleteFile(const std::string& name, const IOOptions& options,
                               IODebugContext* dbg) {
  if (const auto what = fate_of(remove); what != fate::done) return status_of(what, *this);
  std::lock_guard lock(mutex_);
  std::error_code ec;
  const auto path = plain(name);
  const auto saved = fs::exists(path, ec) ? save(path) : std::string();
  auto s = target()->DeleteFile(name, options, dbg);
  if (!s.ok()) return s;
  const auto size = fs::file_size(saved, ec);
  names_.push_back(
      {path, {}, saved, files_.try_emplace(path, file_state{size, size}).first->second});
  files_.erase(path);
  return s;
}

}  // namespace soma::storage::testing
