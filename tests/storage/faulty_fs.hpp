// A disk that fails when told to, and that forgets what was not synced when its power is cut. Wraps
// the real file system: what is kept lies in real files. Thread-safe.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

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
  // From the n-th operation on nothing changes on the disk any more, and nobody is told: what is
  // answered from then on is answered by a dead machine.
  void cut_power_at(std::uint64_t n);
  bool has_failed() const;  // or has no power
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

  // For the files. An operation that is to be done, that fails with what `failure` says, or that
  // seems to be done.
  enum class fate { done, failed, dead };
  fate fate_of(op kind);
  rocksdb::IOStatus failure() const;
  void has_appended(const std::string& name, std::uint64_t bytes);
  void has_synced(const std::string& name);
  void has_synced_folder();

 private:
  struct file_state {
    std::uint64_t written = 0, synced = 0;
  };
  // What happened to a name and is not durable yet. `saved`: a second name of the file that a
  // renaming or deletion took away, if any.
  struct name_change {
    std::string created, renamed_from, saved;  // `created`: the name, also that of a deleted file
    std::optional<file_state> deleted;
  };

  std::string save(const std::string& path);
  void undo(const name_change& change);

  mutable std::mutex mutex_;
  std::map<std::string, file_state> files_;
  std::vector<name_change> names_;
  std::uint64_t saves_ = 0;
  unsigned kinds_ = 0;
  std::uint64_t until_failure_ = 0;
  bool once_ = false, failed_ = false, power_cut_ = false;
  rocksdb::IOStatus how_;
};

// An environment on that disk, in which RocksDB does not wait a second after each failure.
std::unique_ptr<rocksdb::Env> impatient_env(const std::shared_ptr<faulty_fs>& disk);

}  // namespace soma::storage::testing
