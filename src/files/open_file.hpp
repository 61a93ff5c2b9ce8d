// An open file, read in pieces from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "files/checked_files.hpp"

namespace soma::files {

// Closed with its last holder.
class open_file {
 public:
  explicit open_file(int handle) : handle_(handle) {}
  explicit open_file(file_handle file) : handle_(file.release()), sealed_(file.sealed()) {}
  ~open_file();
  open_file(const open_file&) = delete;

  // Blocks on the disk. Empty where the file cannot be read or is at its end.
  std::string read(std::uint64_t at, std::size_t bytes) const;

 private:
  const int handle_;
  const std::shared_ptr<const file_unsealer> sealed_{};  // null: its bytes are the file's
};

}  // namespace soma::files
