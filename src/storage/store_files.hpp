// The files of a store as they lie on the disk, before RocksDB opens them: who has them, which they
// are, and whether they are sound. Blocks. Private to storage.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/record_file.hpp"

namespace rocksdb {
class Env;
class FileLock;
}  // namespace rocksdb

namespace soma::storage {

std::string store_folder(const std::string& data_dir);

// Makes the names in a folder durable. Some file systems cannot, and need not.
bool sync_folder(const std::string& folder);

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
// in these or the write-ahead logs, in the tables (which reads them all).
std::optional<error> find_manifest_damage(const std::string& folder, record_check how);
std::optional<error> find_damage(const std::string& folder, record_check how);
std::optional<error> find_damaged_table(const std::string& folder);
std::vector<error> find_damaged_tables(const std::string& folder, std::size_t max);

}  // namespace soma::storage
