// Makes a backup of a data folder whose store is open in this process, while it is being used: all
// of the store as of one moment, the attachments that it names, the work folders and the audit as
// they are then, and the server's key apart from them. Memories are in the store; their index is
// made anew.
//
// Blocks for as long as copying takes; any thread. Errors: those of repository::open;
// storage.corrupt, with what is damaged; backup.stopped.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "backup/copying.hpp"
#include "backup/manifest.hpp"
#include "core/error.hpp"
#include "storage/event_log.hpp"

namespace soma::backup {

struct backup_sources {
  const storage::event_log& log;  // whose store lies in data_dir
  std::string data_dir;
};

struct backup_options {
  std::string folder;             // of backups
  std::uint64_t bytes_per_s = 0;  // 0: as fast as the disk
  std::size_t keep = 0;           // of the newest; 0: all
  bool leave_out_damaged = false;
  std::function<bool(const progress&)> goes_on{};  // asked after each piece; empty: always
};

struct left_out {
  std::string path, why;
};

struct backup_made {
  backup_info info;
  std::size_t forgotten = 0;      // older ones
  std::string not_forgotten;      // why they could not be; empty: they were
  std::vector<left_out> without;  // what could not be read of work folders; damaged attachments
                                  // where that was asked for
};

// Damaged attachments end the backup, `damaged` tells which, unless they are left out.
result<backup_made> make_backup(const backup_sources& from, const backup_options& wanted,
                                std::vector<left_out>* damaged = nullptr);

// Takes away what a backup that was killed left in a data folder, where it would keep deleted files
// on the disk. No backup of it is under way.
void forget_unfinished(const std::string& data_dir);

// Whether a folder of backups would lie in the data folder, and be backed up into itself. Asked of
// the disk, since links and mounts lead anywhere. The part it lies in; empty: beside it.
std::string part_around(const std::string& data_dir, const std::string& folder);

}  // namespace soma::backup
