#include "files/beneath.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "core/codes.hpp"
#include "core/shown_text.hpp"
#include "core/utf8.hpp"
#include "files/work_folder.hpp"

namespace soma::files {
namespace {

constexpr int tries_max = 8;

error bad_path(std::string why) {
  return {codes::workdir_path_invalid, "not a path of the work folder: " + std::move(why)};
}

}  // namespace

int open_beneath(int folder, const char* path, int flags, unsigned mode) {
  open_how how{};
  // A pipe must not keep its opener waiting, a terminal must not become ours.
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW);
  if ((flags & O_PATH) == 0) how.flags |= O_NONBLOCK | O_NOCTTY;
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  for (int tries = 1;; ++tries) {
    const auto fd = static_cast<int>(::syscall(SYS_openat2, folder, path, &how, sizeof how));
    // EAGAIN: somebody renamed while the kernel looked.
    if (fd >= 0 || (errno != EINTR && errno != EAGAIN) || tries == tries_max) return fd;
  }
}

result<std::vector<std::string>> names_of(std::string_view path) {
  std::vector<std::string> names;
  if (path.empty()) return names;
  if (path.size() > work_folders::path_bytes_max) return bad_path("it is too long");
  if (path.front() == '/') return bad_path("it begins with a slash");
  if (!utf8_valid(path)) return bad_path("it is not UTF-8");
  if (std::any_of(path.begin(), path.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    return bad_path("it holds a control character");
  for (;;) {
    const auto end = std::min(path.find('/'), path.size());
    const auto name = path.substr(0, end);
    if (name.empty() || name == "." || name == "..")
      return bad_path("a name in it is empty or made of dots");
    if (name.size() > work_folders::name_bytes_max) return bad_path("a name in it is too long");
    names.emplace_back(name);
    if (names.size() > work_folders::depth_max) return bad_path("it has too many names");
    if (end == path.size()) return names;
    path.remove_prefix(end + 1);
  }
}

result<std::vector<std::string>> new_names_of(std::string_view path) {
  auto names = names_of(path);
  if (!names) return names;
  for (auto rest = path; !rest.empty();
       rest.remove_prefix(std::max<std::size_t>(utf8_sequence_length(rest), 1)))
    if (steers(rest)) return bad_path("it holds a control character or a mark of direction");
  return names;
}

error work_error(int number) {
  switch (number) {
    case ENOENT: return {codes::workdir_not_found, "there is no such file or folder"};
    case ELOOP: return {codes::workdir_path_invalid, "a symbolic link is not followed"};
    case EXDEV: return {codes::workdir_path_invalid, "the path leaves the work folder"};
    case EINVAL:
    case ENAMETOOLONG: return {codes::workdir_path_invalid, "not a path of the work folder"};
    case EEXIST:
    case ENOTEMPTY: return {codes::workdir_exists, "there is something of that name"};
    case ENOTDIR: return {codes::workdir_wrong_kind, "a file stands where a folder is meant"};
    case EISDIR: return {codes::workdir_wrong_kind, "a folder stands where a file is meant"};
    case ENXIO:
    case EACCES:
    case EPERM: return {codes::workdir_wrong_kind, "it is no file that can be opened"};
    case ENOSPC:
    case EDQUOT: return {codes::storage_full, "the disk is full"};
    default: break;
  }
  return {codes::storage_unavailable,
          "the work folder failed: " + std::generic_category().message(number)};
}

}  // namespace soma::files
