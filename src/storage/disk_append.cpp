#include "storage/disk_append.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

namespace soma::storage {

int append_keeping_free(int file, std::string_view bytes, std::uint64_t min_free_bytes) {
  struct statvfs disk {};
  if (::fstatvfs(file, &disk) == 0 &&
      static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize < min_free_bytes + bytes.size())
    return ENOSPC;
  while (!bytes.empty()) {
    const auto written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace soma::storage
