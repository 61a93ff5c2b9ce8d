#include "tools/sandbox/folder_walk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string_view>

namespace soma::tools {
namespace {

constexpr int depth_max = 64;

struct closing {
  void operator()(DIR* folder) const { closedir(folder); }
};

struct walk {
  const std::function<bool(const folder_entry&)>& visit;
  std::size_t left;
  dev_t device;

  // Takes over `fd`.
  bool enter(int fd, const std::string& path, int depth) {
    const std::unique_ptr<DIR, closing> folder(fdopendir(fd));
    if (!folder) {
      close(fd);
      return true;
    }
    while (const dirent* entry = readdir(folder.get())) {
      const std::string_view name(entry->d_name);
      if (name == "." || name == "..") continue;
      folder_entry seen;
      if (fstatat(dirfd(folder.get()), entry->d_name, &seen.info, AT_SYMLINK_NOFOLLOW) != 0)
        continue;
      if (left-- == 0) return false;
      seen.path = path.empty() ? std::string(name) : path + "/" + std::string(name);
      if (!visit(seen)) return false;
      if (!S_ISDIR(seen.info.st_mode) || seen.info.st_dev != device) continue;
      if (depth >= depth_max) return false;  // what is below it would be hidden
      const int below = openat(dirfd(folder.get()), entry->d_name,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (below >= 0 && !enter(below, seen.path, depth + 1)) return false;
    }
    return true;
  }
};

}  // namespace

bool walk_folder(const std::string& folder, std::size_t entries_max,
                 const std::function<bool(const folder_entry&)>& visit) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return true;
  struct stat info {};
  fstat(fd, &info);
  return walk{visit, entries_max, info.st_dev}.enter(fd, {}, 0);
}

folder_size measure_folder(const std::string& folder, std::size_t entries_max) {
  folder_size out;
  const bool whole = walk_folder(folder, entries_max + 1, [&](const folder_entry& entry) {
    out.bytes += static_cast<std::uint64_t>(entry.info.st_blocks) * 512;
    return ++out.entries <= entries_max;
  });
  if (!whole) out.entries = entries_max + 1;
  return out;
}

}  // namespace soma::tools
