// A disk that fails when told to, and that forgets what was not synced when its power is cut. Wraps
// the real file system: what is kept lies in real files. Thread-safe.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <string>

namespace soma::storage::testing {

class faulty_fs final : public rocksdb::FileSystemWrapper {
 public:
  enum op : unsigned {
    append = 1,
    sync = 2,
    create = 4,
    rename = 8,
    folder_sync = 16,
    remove = 32,
    all = 63
  };

  faulty_fs() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "faulty_fs"; }

  // The n-th (from 1) of these operations and all later ones fail, until `heal`. An append that
  // fails has written half.
  void fail_from(std::uint64_t n, rocksdb::IOStatus how, unsigned kinds);
  // As above, but only that one fails.
  void fail_once(std::uint64_t n, rocksdb::IOStatus how, unsigned kinds);
  void heal();
  bool has_failed() const;
  static rocksdb::IOStatus broken() { return rocksdb::IOStatus::IOError("told to fail"); }
  static rocksdb::IOStatus full();

  // With the store closed: cuts each file to somewhere between what was synced and what was
  // written, and drops files whose names were not synced. Then starts anew with what is left.
  void lose_unsynced(std::mt19937_64& random);

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* folder,
                                 rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* dbg) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* dbg) override;

  // For the files.
  rocksdb::IOStatus verdict(op kind);
  void has_appended(const std::string& name, std::uint64_t bytes);
  void has_synced(const std::string& name);
  void has_synced_folder(const std::string& name);

 private:
  struct file_state {
    std::uint64_t written = 0, synced = 0;
    bool name_synced = false;
  };

  mutable std::mutex mutex_;
  std::map<std::string, file_state> files_;
  unsigned kinds_ = 0;
  std::uint64_t until_failure_ = 0;
  bool once_ = false, failed_ = false;
  rocksdb::IOStatus how_;
};

// An environment on that disk, in which RocksDB does not wait a second after each failure.
std::unique_ptr<rocksdb::Env> impatient_env(const std::shared_ptr<faulty_fs>& disk);

}  // namespace soma::storage::testing
