// Bytes on their way into a folder of backups and out of it. Private to backup. Blocks on the disk.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "backup/manifest.hpp"
#include "core/error.hpp"
#include "files/content_files.hpp"

namespace soma::backup {

struct progress {
  std::uint64_t files = 0, bytes = 0;  // looked at so far
  std::uint64_t new_bytes = 0;         // written
};

// Makes copying wait so that it is no faster than so many bytes a second, and stops it. Of one
// thread.
class pace {
 public:
  // 0: as fast as the disk. `goes_on` is asked after each piece; empty: always.
  pace(std::uint64_t bytes_per_s, std::function<bool(const progress&)> goes_on);

  progress& now() { return now_; }
  // After so many bytes were read or written. Error: backup.stopped.
  result<void> took(std::uint64_t bytes);

 private:
  using clock = std::chrono::steady_clock;
  const std::uint64_t bytes_per_s_;
  const std::function<bool(const progress&)> goes_on_;
  progress now_;
  clock::time_point free_at_ = clock::now();
};

// Reads `from` to its end, or to `bytes_max`, and fills size and sha256 of `out`. Errors:
// storage.corrupt where it cannot be read.
result<void> hash(int from, std::uint64_t bytes_max, pace& at, entry& out);
// The same, and keeps it under the hash of what was read, in the place of what has that name.
result<void> keep(int from, std::uint64_t bytes_max, const files::content_files& contents, pace& at,
                  entry& out);

// Writes a content of that folder to a new file, and says so where it is not what its name says:
// storage.corrupt.
result<void> bring_back(const std::string& contents, const entry& one, int into, pace& at);
// The same without writing.
result<void> check_content(const std::string& contents, const entry& one, pace& at);

bool sync_folder(const std::string& folder);

}  // namespace soma::backup
