// What a backup has: a line of JSON each for the backup itself, for every file, folder and link,
// and at the end one with the SHA-256 of all lines before it. Written and read a line at a time, so
// that its length is bounded by the disk alone.
//
// Not thread-safe. Blocks on the disk. Errors: storage.unavailable, storage.full (writing);
// storage.corrupt with what is wrong, storage.format for one of a later version (reading).
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "security/digest.hpp"

namespace soma::backup {

inline constexpr int manifest_format = 1;
inline constexpr std::size_t manifest_line_max = 64 * 1024;

struct entry {
  enum class kind : std::uint8_t { file, folder, link, key };
  // Relative to the data folder, of named parts: see is_entry_path. A key's is its name in
  // `secret`; its bytes lie apart from the contents.
  std::string path;
  kind what = kind::file;
  std::string sha256{};       // of a file
  std::uint64_t size = 0;     // of a file
  std::int64_t mtime_ns = 0;  // of a file of the store, as a sign that it is the same
  unsigned mode = 0;          // of a file in a work folder; 0: of its owner alone
  std::string target{};       // of a link
};

// Whether a path leads to a place inside one of the parts that are backed up, and nowhere else.
bool is_entry_path(std::string_view path);
bool is_key_name(std::string_view name);

struct backup_info {
  std::string id;  // the moment it was made: "20261130T185500123Z"
  std::int64_t made_at_ms = 0;
  std::string version;  // of the program that made it
  // Known when it is whole.
  std::uint64_t files = 0, bytes = 0;
  std::uint64_t new_bytes = 0;  // that no backup before had
};

bool is_backup_id(std::string_view text);
std::string backup_id_of(std::int64_t at_ms);

class manifest_writer {
 public:
  // Makes the file; there must be none.
  static result<manifest_writer> begin(const std::string& path, const backup_info& head);
  manifest_writer(manifest_writer&&) noexcept = default;

  result<void> add(const entry& one);
  // The last line; synced. Nothing is added after.
  result<void> finish(std::uint64_t new_bytes);
  const backup_info& info() const { return info_; }

 private:
  manifest_writer() = default;
  result<void> line(const std::string& text);

  struct closes {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  std::unique_ptr<std::FILE, closes> file_;
  std::string path_;
  backup_info info_;
  security::sha256_stream hash_;
};

// Reads it whole, and calls `visit` with each entry in order; the first error of it ends the
// reading and is given back. What is seen before the end may be of a damaged manifest: see
// check_manifest. `visit` may be empty.
result<backup_info> read_manifest(const std::string& path,
                                  const std::function<result<void>(const entry&)>& visit);

// What its first and its last line say, for lists: whether the lines between are whole is not
// known.
result<backup_info> read_manifest_ends(const std::string& path);

}  // namespace soma::backup
