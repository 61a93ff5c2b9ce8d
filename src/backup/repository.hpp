// A folder of backups:
//
//   FORMAT                 "soma-backup 1"
//   contents/ab/abcd…      the bytes of files by their SHA-256, each once
//   backups/ID.ndjson      a manifest a backup (manifest.hpp), there when the backup is whole
//   keys/ID/server.key     the server's own key at that moment, apart from all else
//   lock
//
// Only one process writes to it at a time. Used by one thread; blocks on the disk. Errors:
// backup.under_way (another writes, or reads what would be written to), backup.not_found,
// storage.corrupt, storage.format, storage.full, storage.unavailable.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/manifest.hpp"
#include "core/error.hpp"
#include "files/content_files.hpp"
#include "tools/sandbox/descriptors.hpp"

namespace soma::backup {

// Of the backups in a folder, the oldest first. Needs no lock: a manifest never changes.
std::vector<std::string> backup_ids(const std::string& folder);
std::string manifest_path(const std::string& folder, std::string_view id);

class repository {
 public:
  enum class use : std::uint8_t { reads, writes };
  // Where nothing is there yet, or an empty folder, `writes` makes one. What is no folder of
  // backups is an error. `reads` changes nothing, and needs no leave to write.
  static result<repository> open(const std::string& folder, use how);

  // Of a backup, the newest where `id` is empty.
  result<std::string> id_of(std::string_view id) const;
  std::string manifest_path(std::string_view id) const {
    return backup::manifest_path(folder_, id);
  }
  std::string keys_folder(std::string_view id) const;
  std::string contents_folder() const { return folder_ + "/contents"; }
  const files::content_files& contents() const { return *contents_; }  // of one that writes
  bool has(std::string_view sha256, std::uint64_t size) const;

  // Where a manifest is written before it is whole; what was there is removed.
  result<std::string> draft() const;
  // Gives the draft its name: from then on the backup is there.
  result<void> publish(std::string_view id) const;
  // Leaves the newest `keep` of them (0: all) and the contents that these have. How many went.
  result<std::size_t> forget_old(std::size_t keep) const;

 private:
  repository(std::string folder, tools::descriptor lock)
      : folder_(std::move(folder)), lock_(std::move(lock)) {}

  std::string folder_;
  tools::descriptor lock_;
  std::optional<files::content_files> contents_;
};

}  // namespace soma::backup
