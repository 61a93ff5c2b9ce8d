// Files named by the SHA-256 of their bytes: <folder>/<first two digits>/<sha256>. A file is there
// whole or not at all: it is written in <folder>/incoming, synced, then renamed. What a crash left
// in `incoming` is removed by the next open; the store's own lock keeps others away.
//
// Thread-safe; a writer belongs to one thread at a time. All calls block on the disk. Errors:
// storage.full (below min_free_bytes, or the disk says so), storage.unavailable.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "security/digest.hpp"

namespace soma::files {

class content_writer {
 public:
  content_writer() = default;
  content_writer(content_writer&& other) noexcept;
  ~content_writer();  // removes what was not published

  result<void> append(std::string_view bytes);
  // Syncs the bytes. Nothing is appended after.
  result<void> finish();

  std::uint64_t size_bytes() const { return size_bytes_; }
  const std::string& sha256() const { return sha256_; }  // hexadecimal, after `finish`
  const std::string& path() const { return path_; }

 private:
  friend class content_files;
  int file_ = -1;
  std::string path_, sha256_;
  std::uint64_t size_bytes_ = 0, min_free_bytes_ = 0;
  security::sha256_stream hash_;
};

class content_files {
 public:
  // Makes the folder where it is not, and empties `incoming`.
  static result<content_files> open(const std::string& folder, std::uint64_t min_free_bytes);

  result<content_writer> begin() const;
  // Gives a finished writer's bytes their name. The same bytes may be there already.
  result<void> publish(content_writer& written) const;
  result<void> remove(std::string_view sha256) const;  // none there: no error
  std::string path_of(std::string_view sha256) const;
  void each(const std::function<void(const std::string& sha256)>& visit) const;

 private:
  std::string folder_;
  std::uint64_t min_free_bytes_ = 0;
};

// Where bytes of that hash lie in such a folder.
std::string content_path(const std::string& folder, std::string_view sha256);

bool is_sha256(std::string_view text);  // 64 lower-case hexadecimal digits

}  // namespace soma::files
