// Remembers which files were found to have the bytes that they should, so that a file is read whole
// for that once, and not for every piece of it that is asked for. What counts as the same file: its
// place on the disk, its size and the times of its last changes. Believed for a day, in which a
// disk may lose a bit unnoticed.
//
// Thread-safe; blocks on the disk. One thread at a time looks at a file: others wait for what it
// finds.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/error.hpp"
#include "files/sealed_file.hpp"

namespace soma::files {

// An open file; closed with its last holder.
class file_handle {
 public:
  explicit file_handle(int fd = -1) : fd_(fd) {}  // below 0: none
  file_handle(file_handle&& other) noexcept
      : fd_(other.release()), sealed_(std::move(other.sealed_)) {}
  file_handle& operator=(file_handle&&) = delete;
  ~file_handle();
  int get() const { return fd_; }
  int release();
  // By which its bytes are read, where they are sealed; else null.
  const std::shared_ptr<const file_unsealer>& sealed() const { return sealed_; }
  void set_sealed(std::shared_ptr<const file_unsealer> by) { sealed_ = std::move(by); }

 private:
  int fd_;
  std::shared_ptr<const file_unsealer> sealed_;
};

// SHA-256 of what lies on the disk, so of the sealed form where it is sealed. Blocks; errors as
// checked_files::open.
result<std::string> sha256_of_file(const file_handle& file);

class checked_files {
 public:
  // Opens a file that has so many bytes and that hash, both before it was sealed by `key`, where
  // one is given. Without `may_read` a file that would have to be read whole for that is not
  // opened: the handle is empty. Errors: storage.corrupt (it is not there, or is not what it should
  // be), storage.unavailable.
  result<file_handle> open(const std::string& path, std::string_view sha256,
                           std::uint64_t size_bytes, bool may_read = true,
                           const security::value_key* key = nullptr);

 private:
  struct known_file {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const known_file&) const = default;
  };
  struct finding {
    known_file file;
    bool good = false;
    std::chrono::steady_clock::time_point at;
  };

  static constexpr std::size_t findings_max = 65'536;
  static constexpr auto believed_for = std::chrono::hours(24);
  std::mutex mutex_;
  std::unordered_map<std::string, finding> findings_;  // by path
  std::array<std::mutex, 64> looking_;
};

}  // namespace soma::files
