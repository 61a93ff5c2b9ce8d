// Brings a data folder back from a backup: all of it, or nothing. Blocks; any thread. Errors: those
// of repository::open and read_manifest; storage.corrupt for a content that is damaged or a store
// that cannot be read; storage.unavailable where the data folder is there already.
#pragma once

#include <functional>
#include <string>

#include "backup/copying.hpp"
#include "backup/manifest.hpp"
#include "core/error.hpp"

namespace soma::backup {

struct restore_options {
  std::string folder;  // of backups
  std::string id;      // empty: the newest
  std::function<bool(const progress&)> goes_on{};
};

// Reads all of the backup, and says whether it could be restored; of the store only that its files
// are those that were copied, which were read then.
result<backup_info> check_backup(const restore_options& wanted);

// Writes beside `data_dir`, checks the store there, and gives it its name in the end. `data_dir`
// must not exist, or be an empty folder.
result<backup_info> restore_backup(const restore_options& wanted, const std::string& data_dir);

struct known_backups {
  std::vector<backup_info> all;      // the oldest first
  std::vector<std::string> damaged;  // whose manifest has no beginning or no end
};
// Of a folder that is not there yet: none.
result<known_backups> list_backups(const std::string& folder);

}  // namespace soma::backup
