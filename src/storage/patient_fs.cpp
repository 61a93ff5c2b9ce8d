#include "storage/patient_fs.hpp"

#include <fcntl.h>
#include <rocksdb/file_system.h>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "storage/table_guard.hpp"

namespace soma::storage {
namespace {

constexpr std::size_t kept_back_max = 24;  // a write-ahead log, tables of all families, folders
constexpr auto waits_at_most = std::chrono::seconds(20);
constexpr auto tries_every = std::chrono::milliseconds(20);

class spare_descriptors {
 public:
  spare_descriptors() { refill(); }
  ~spare_descriptors() {
    for (const int one : spares_) ::close(one);
  }
  bool give_one() {
    const std::lock_guard lock(mutex_);
    if (spares_.empty()) return false;
    ::close(spares_.back());
    spares_.pop_back();
    return true;
  }
  void refill() {
    const std::lock_guard lock(mutex_);
    while (spares_.size() < kept_back_max) {
      const int one = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (one < 0) return;
      spares_.push_back(one);
    }
  }

 private:
  std::mutex mutex_;
  std::vector<int> spares_;
};

// RocksDB says it in words only.
bool lacks_a_descriptor(const rocksdb::IOStatus& s) {
  if (!s.IsIOError()) return false;
  const auto text = s.ToString();
  return text.find("Too many open files") != std::string::npos;
}

class patient_fs final : public rocksdb::FileSystemWrapper {
 public:
  patient_fs() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "patient_fs"; }

  rocksdb::IOStatus NewSequentialFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* dbg) override {
    return patiently([&] { return target()->NewSequentialFile(name, options, file, dbg); });
  }
  rocksdb::IOStatus NewRandomAccessFile(const std::string& name,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* dbg) override {
    auto s = patiently([&] { return target()->NewRandomAccessFile(name, options, file, dbg); });
    std::uint64_t bytes = 0;
    if (s.ok() && name.ends_with(".sst") &&
        target()->GetFileSize(name, options.io_options, &bytes, dbg).ok()) {
      s = guard_table(name, **file, bytes);
      if (!s.ok()) file->reset();
    }
    return s;
  }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* dbg) override {
    return patiently([&] { return target()->NewWritableFile(name, options, file, dbg); });
  }
  rocksdb::IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* dbg) override {
    return patiently([&] { return target()->ReopenWritableFile(name, options, file, dbg); });
  }
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* folder,
                                 rocksdb::IODebugContext* dbg) override {
    return patiently([&] { return target()->NewDirectory(name, options, folder, dbg); });
  }
  rocksdb::IOStatus GetChildren(const std::string& name, const rocksdb::IOOptions& options,
                                std::vector<std::string>* found,
                                rocksdb::IODebugContext* dbg) override {
    return patiently([&] { return target()->GetChildren(name, options, found, dbg); });
  }
  rocksdb::IOStatus LockFile(const std::string& name, const rocksdb::IOOptions& options,
                             rocksdb::FileLock** lock, rocksdb::IODebugContext* dbg) override {
    return patiently([&] { return target()->LockFile(name, options, lock, dbg); });
  }

 private:
  template <class Open>
  rocksdb::IOStatus patiently(Open open) {
    auto s = open();
    if (!lacks_a_descriptor(s)) {
      spares_.refill();
      return s;
    }
    const auto deadline = std::chrono::steady_clock::now() + waits_at_most;
    while (lacks_a_descriptor(s) && std::chrono::steady_clock::now() < deadline) {
      if (!spares_.give_one()) std::this_thread::sleep_for(tries_every);
      s = open();
    }
    return s;
  }

  spare_descriptors spares_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> patient_env() {
  return rocksdb::NewCompositeEnv(std::make_shared<patient_fs>());
}

rocksdb::Env* common_env() {
  static const auto env = patient_env();  // outlives every store
  return env.get();
}

}  // namespace soma::storage
