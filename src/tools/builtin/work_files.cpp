#include "tools/builtin/work_files.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/codes.hpp"
#include "tools/builtin/text_stream.hpp"
#include "tools/sandbox/descriptors.hpp"
#include "tools/sandbox/folder_walk.hpp"

namespace soma::tools {
namespace {

constexpr std::size_t path_bytes_max = 512, path_parts_max = 16, entries_max = 20'000;

descriptor open_below(int folder, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.mode = flags & O_CREAT ? 0644 : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return descriptor(static_cast<int>(syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how)));
}

error refused(const std::string& path, int why) {
  if (why == ENOSPC || why == EDQUOT) return {codes::storage_full, "the disk is full"};
  if (why == ELOOP || why == EISDIR || why == ENOTDIR || why == EXDEV || why == ENXIO)
    return {codes::tool_invalid_inputs, path + " is a link or no file"};
  return {codes::storage_unavailable, path + " cannot be written: " + strerror(why)};
}

// The folder that `path` is in, made where it is missing.
result<descriptor> open_parent(const std::string& folder, const std::string& path) {
  descriptor at(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at) return refused(folder, errno);
  for (std::size_t from = 0, end; (end = path.find('/', from)) != std::string::npos;
       from = end + 1) {
    const auto part = path.substr(from, end - from);
    if (mkdirat(at.get(), part.c_str(), 0755) != 0 && errno != EEXIST) return refused(path, errno);
    at = open_below(at.get(), part, O_PATH | O_DIRECTORY);
    if (!at) return refused(path, errno);
  }
  return at;
}

}  // namespace

bool is_work_path(std::string_view path) {
  if (path.empty() || path.size() > path_bytes_max) return false;
  if (std::any_of(path.begin(), path.end(), [](unsigned char c) { return c < 32 || c == 127; }))
    return false;
  std::size_t parts = 0;
  for (std::size_t from = 0; from <= path.size();) {
    const auto end = std::min(path.find('/', from), path.size());
    const auto part = path.substr(from, end - from);
    if (part.empty() || part == "." || part == ".." || ++parts > path_parts_max) return false;
    from = end + 1;
  }
  return true;
}

result<void> write_work_file(const std::string& folder, const std::string& path,
                             std::string_view bytes) {
  if (!is_work_path(path))
    return error{codes::tool_invalid_inputs, "a file's path stays in the work folder"};
  auto parent = open_parent(folder, path);
  if (!parent) return parent.error();
  const auto name = path.substr(path.rfind('/') + 1);
  // O_NONBLOCK: a pipe that a program left there must not make us wait for a reader.
  const auto file =
      open_below(parent->get(), name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK);
  if (!file) return refused(path, errno);
  struct stat info {};
  if (fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return refused(path, ENXIO);
  while (!bytes.empty()) {
    const auto n = write(file.get(), bytes.data(), bytes.size());
    if (n <= 0) return refused(path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

std::int64_t file_clock_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

std::vector<changed_file> changed_since(const std::string& folder, std::int64_t since_ns,
                                        std::size_t files_max) {
  std::vector<changed_file> out;
  walk_folder(folder, entries_max, [&](const folder_entry& entry) {
    const auto& at = entry.info.st_ctim;
    if (S_ISREG(entry.info.st_mode) && at.tv_sec * 1'000'000'000LL + at.tv_nsec >= since_ns)
      out.push_back({valid_utf8(entry.path), static_cast<std::uint64_t>(entry.info.st_size)});
    return true;
  });
  std::sort(out.begin(), out.end(),
            [](const changed_file& a, const changed_file& b) { return a.path < b.path; });
  if (out.size() > files_max) out.resize(files_max);
  return out;
}

}  // namespace soma::tools
