// Bounds the audit file: one that is full becomes FILE.1, that one FILE.2 and so on, and the oldest
// goes. Below the disk's reserve nothing is written. One thread at a time; blocks on the disk.
#pragma once

#include <cstdint>
#include <string>

namespace soma::security {

struct audit_bounds {
  std::uint64_t bytes_max = 0;       // of one file; 0: never rotated
  std::uint64_t files_max = 8;       // beside the one that is written
  std::uint64_t min_free_bytes = 0;  // of the disk
};

// Moves the files on by one. Afterwards there is no `path`, unless it cannot be renamed: false,
// with errno.
bool rotate_audit(const std::string& path, std::uint64_t files_max);

// Whether so many bytes more leave the disk its reserve. True where nobody can say.
bool audit_has_room(int file, std::uint64_t bytes, std::uint64_t min_free_bytes);

}  // namespace soma::security
