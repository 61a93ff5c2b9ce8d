// Work folders: where a session's tools and its people leave files for each other, and one that a
// tenant's sessions share. <root>/<tenant>/<session>, <root>/<tenant>/shared.
//
// No path leaves its folder: each is opened relative to a handle of the folder, and the kernel
// follows no symbolic link and crosses no mount on the way (openat2). What a tool put there that is
// neither file nor folder (links, pipes, devices) is listed, moved and removed, never opened. A
// file is replaced as a whole: written beside, synced, renamed.
//
// A session_key without a session means the tenant's shared folder. Paths are relative, of at most
// 32 names joined by slashes; "" is the folder itself.
//
// Thread-safe; all calls block on the disk. Errors: workdir.path_invalid, workdir.not_found,
// workdir.wrong_kind (a folder where a file is meant, or the other way round, or neither),
// workdir.exists, workdir.full (a quota), storage.full, storage.unavailable.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/json_writer.hpp"
#include "core/may_block.hpp"

namespace soma::files {

struct work_limits {
  std::uint64_t bytes_max = 256ull << 20;        // of a folder
  std::uint64_t entries_max = 10'000;            // files and folders in it
  std::uint64_t file_bytes_max = 128ull << 20;   // of one file
  std::uint64_t min_free_bytes = 0;              // of the disk
  std::uint64_t tenant_bytes_max = 16ull << 30;  // of all folders of a tenant
};

enum class work_kind : std::uint8_t { file, folder, other };
struct work_entry {
  std::string name;
  work_kind kind = work_kind::other;
  std::uint64_t size_bytes = 0;
  std::int64_t modified_ms = 0;
};
// As routes and tools show it.
void write_entry(json_writer& w, const work_entry& entry);

struct work_list {
  std::vector<work_entry> entries;  // by name
  bool complete = true;             // false: there are more
};
struct work_piece {
  std::string bytes;
  std::uint64_t size_bytes = 0;  // of the whole file
};

// A descriptor of the kernel's, closed with its holder.
class work_handle {
 public:
  work_handle() = default;
  explicit work_handle(int fd) : fd_(fd) {}
  work_handle(work_handle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  work_handle& operator=(work_handle&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~work_handle();
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct work_file {
  work_handle handle;  // for reading; a regular file
  std::uint64_t size_bytes = 0;
  std::int64_t modified_ms = 0;
};

// A file that is not in its folder yet. Used by one thread at a time.
class work_spool {
 public:
  work_spool(work_spool&& other) noexcept = default;
  ~work_spool();  // removes what was not put
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  friend class work_folders;
  work_spool() = default;
  work_handle file_;
  std::unique_ptr<std::string> path_;
  std::uint64_t size_bytes_ = 0;
};

// All that a tenant has below `root`.
std::string tenant_work_folder(const std::string& root, const tenant_id& tenant);

class work_folders {
 public:
  static constexpr std::size_t depth_max = 32, path_bytes_max = 1024, name_bytes_max = 255;

  // Makes the root; storage.unavailable where the kernel has no openat2. What an earlier process
  // left half-written or half-removed goes.
  static result<std::unique_ptr<work_folders>> open(const std::string& root, work_limits limits);

  result<work_list> list(const session_key& whose, std::string_view path, std::size_t entries_max);
  result<work_piece> read(const session_key& whose, std::string_view path, std::uint64_t offset,
                          std::size_t bytes_max);
  result<work_file> open_file(const session_key& whose, std::string_view path);
  // A folder, for walking with openat and its like.
  result<work_handle> open_folder(const session_key& whose, std::string_view path);

  // Folders on the way are made.
  result<void> write(const session_key& whose, std::string_view path, std::string_view bytes);
  result<void> append(const session_key& whose, std::string_view path, std::string_view bytes);
  // The same for what comes in pieces.
  result<work_spool> begin();
  result<void> add(work_spool& spool, std::string_view bytes);
  result<void> put(const session_key& whose, std::string_view path, work_spool spool);

  result<void> make_folder(const session_key& whose, std::string_view path);  // it may be there
  // Replaces nothing: workdir.exists.
  result<void> move(const session_key& whose, std::string_view from, std::string_view to);
  // A folder goes with all that is in it.
  result<void> remove(const session_key& whose, std::string_view path);
  result<void> remove_all(const session_key& whose);

  // The folder's own path, made if it is not there: for a sandbox to mount.
  result<std::string> place(const session_key& whose);

  // The sessions that have a folder, but for those whose names are none of ours.
  std::vector<session_key> sessions() const;

  struct usage {
    std::uint64_t bytes = 0, entries = 0;
  };
  result<usage> used(const session_key& whose);
  // Whether all folders of the tenant hold less than they may: workdir.full. Each counts as it was
  // when it was last looked at or written by this process; the first call walks through all of
  // them.
  result<void> tenant_has_room(const session_key& whose, std::uint64_t bytes);
  const work_limits& limits() const { return limits_; }

 private:
  work_folders(std::string root, work_limits limits);
  std::string path_of(const session_key& whose) const;
  result<work_handle> root_of(const session_key& whose, bool make);
  result<work_handle> parent_of(const session_key& whose, std::string_view path, bool make);
  result<void> settle(const session_key& whose, std::string_view path, work_spool& spool);
  result<void> fits(const session_key& whose, std::uint64_t bytes, std::uint64_t entries);
  std::map<std::string, std::uint64_t> sizes_of(const std::string& tenant_folder) const;
  result<void> discard(int parent, const std::string& name);
  disk_mutex& lock_of(const session_key& whose);

  const std::string root_, incoming_;
  const work_limits limits_;
  std::array<disk_mutex, 64> locks_;  // a folder's changes come one after another
  // Bytes of each folder, by tenant and session; a tenant is there once all of its folders are.
  disk_mutex totals_mutex_;
  std::map<tenant_id, std::map<std::string, std::uint64_t>> totals_;
};

}  // namespace soma::files
