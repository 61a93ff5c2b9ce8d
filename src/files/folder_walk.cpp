#include "files/folder_walk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "core/time.hpp"
#include "files/beneath.hpp"

namespace soma::files {

std::vector<std::string> names_in(int folder, std::uint64_t names_max) {
  std::vector<std::string> names;
  // A handle of its own: the position of a shared one would move.
  work_handle own(open_beneath(folder, ".", O_RDONLY | O_DIRECTORY));
  if (!own.valid()) return names;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), ::closedir);
  if (!stream) return names;
  own.release();
  while (names.size() <= names_max) {
    const auto* entry = ::readdir(stream.get());
    if (!entry) break;
    std::string name(entry->d_name);
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  return names;
}

std::optional<work_entry> entry_of(int folder, const std::string& name) {
  struct stat found {};
  if (::fstatat(folder, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  work_entry entry;
  entry.name = name;
  entry.kind = S_ISREG(found.st_mode)   ? work_kind::file
               : S_ISDIR(found.st_mode) ? work_kind::folder
                                        : work_kind::other;
  if (entry.kind == work_kind::file) entry.size_bytes = static_cast<std::uint64_t>(found.st_size);
  entry.modified_ms = modified_ms(found);
  return entry;
}

work_handle open_inner(int folder, const std::string& name) {
  work_handle inner(open_beneath(folder, name.c_str(), O_RDONLY | O_DIRECTORY));
  if (inner.valid() || errno != EACCES) return inner;
  // By its handle, so that nothing else is opened up that stands there by now.
  const work_handle closed(open_beneath(folder, name.c_str(), O_PATH | O_DIRECTORY));
  if (closed.valid()) ::chmod(("/proc/self/fd/" + std::to_string(closed.get())).c_str(), 0700);
  return work_handle(open_beneath(folder, name.c_str(), O_RDONLY | O_DIRECTORY));
}

void write_entry(json_writer& w, const work_entry& entry) {
  constexpr std::string_view kinds[] = {"file", "folder", "other"};
  w.begin_object().field("name", entry.name);
  w.field("kind", kinds[static_cast<std::size_t>(entry.kind)]);
  if (entry.kind == work_kind::file) w.field("size_bytes", entry.size_bytes);
  w.field("modified_at", format_rfc3339(std::max<std::int64_t>(entry.modified_ms, 0)));
  w.end_object();
}

bool add_usage(int folder, int depth, std::uint64_t entries_max, work_folders::usage& sum) {
  if (depth > walk_depth_max) return false;
  for (const auto& name : names_in(folder, entries_max)) {
    if (++sum.entries > entries_max) return false;
    const auto entry = entry_of(folder, name);
    if (!entry) continue;
    sum.bytes += entry->size_bytes;
    if (entry->kind != work_kind::folder) continue;
    const auto inner = open_inner(folder, name);
    if (inner.valid() && !add_usage(inner.get(), depth + 1, entries_max, sum)) return false;
  }
  return true;
}

}  // namespace soma::files
