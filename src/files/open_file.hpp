// An open file, read in pieces from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace soma::files {

// Closed with its last holder.
class open_file {
 public:
  explicit open_file(int handle) : handle_(handle) {}
  ~open_file();
  open_file(const open_file&) = delete;

  // Blocks on the disk. Empty where the file cannot be read or is at its end.
  std::string read(std::uint64_t at, std::size_t bytes) const;

 private:
  const int handle_;
};

}  // namespace soma::files
