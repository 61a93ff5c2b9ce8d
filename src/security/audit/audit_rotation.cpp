#include "security/audit/audit_rotation.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace soma::security {

bool rotate_audit(const std::string& path, std::uint64_t files_max) {
  const auto numbered = [&path](std::uint64_t n) { return path + '.' + std::to_string(n); };
  if (files_max == 0) return ::unlink(path.c_str()) == 0 || errno == ENOENT;
  // rename takes the place of what is there: the oldest goes with the first of these.
  for (auto n = files_max; n > 1; --n)
    if (std::rename(numbered(n - 1).c_str(), numbered(n).c_str()) != 0 && errno != ENOENT)
      return false;
  return std::rename(path.c_str(), numbered(1).c_str()) == 0 || errno == ENOENT;
}

bool audit_has_room(int file, std::uint64_t bytes, std::uint64_t min_free_bytes) {
  struct statvfs disk {};
  if (::fstatvfs(file, &disk) != 0) return true;
  return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize >= min_free_bytes + bytes;
}

}  // namespace soma::security
