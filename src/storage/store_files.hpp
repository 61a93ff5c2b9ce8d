// The files of a store as they lie on the disk, before RocksDB opens them: who has them, which they
// are, and whether they are sound. Blocks. Private to storage.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/record_file.hpp"
#include "storage/store_outline.hpp"

namespace rocksdb {
class Env;
class FileLock;
}  // namespace rocksdb

namespace soma::storage {

std::string store_folder(const std::string& data_dir);

// Makes the names in a folder durable. Some file systems cannot, and need not.
bool sync_folder(const std::string& folder);

// Shortens a file, durably.
result<void> cut_file(const std::string& path, std::uint64_t bytes);

// Keeps other processes out while it lives. RocksDB takes the same lock for itself: let go of this
// one before it opens.
class store_lock {
 public:
  static result<store_lock> take(rocksdb::Env* env, const std::string& data_dir);
  ~store_lock();
  store_lock(store_lock&& other) noexcept;
  store_lock& operator=(store_lock&&) = delete;

 private:
  store_lock(rocksdb::Env* env, rocksdb::FileLock* lock) : env_(env), lock_(lock) {}
  rocksdb::Env* env_;
  rocksdb::FileLock* lock_;
};

struct wal_file {
  std::uint64_t number = 0;
  std::string name, path;
};
std::vector<wal_file> wal_files(const std::string& folder);  // by number
// The MANIFEST that CURRENT names; empty: there is none.
std::string manifest_file(const std::string& folder);

// What is damaged, as a sentence that names the file: storage.corrupt. In CURRENT and the MANIFEST,
// in these or the write-ahead logs, in the tables (which reads all that the
// MANIFEST names).
// Logs whose torn end is zeros are none, and are added to `torn` where it is given.
struct torn_log {
  std::string path;
  std::uint64_t zeros_from = 0, bytes = 0;
};
std::optional<error> find_manifest_damage(const std::string& folder, record_check how);
std::optional<error> find_damage(const std::string& folder, record_check how,
                                 std::vector<torn_log>* torn = nullptr);
std::optional<error> find_damaged_table(const std::string& folder,
                                        const std::function<bool(std::uint64_t)>& goes_on = {});
struct damaged_table {
  error what;
  live_table table;
  bool opens = false;  // its rows can be read up to the damage
};
result<std::vector<damaged_table>> find_damaged_tables(const std::string& folder);

}  // namespace soma::storage
