#include "security/audit/audit_reader.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/codes.hpp"
#include "security/audit/audit_folder.hpp"

namespace soma::security {
namespace {

constexpr std::size_t piece_bytes = 256 * 1024;
constexpr std::size_t looked_max = 16 * 1024 * 1024;
constexpr std::size_t line_bytes_max = 16 * 1024 * 1024;

struct descriptor {
  int fd;
  ~descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

// The segment behind the one that was read to its end. Records may have come into that one before
// this one was begun, so it is read on once more first. False: there is none.
bool audit_reader::open_next() {
  for (const auto& one : audit_segments(folder_)) {
    if (!path_.empty() && one.first <= first_) continue;
    if (!path_.empty() && !is_over_) return is_over_ = true;
    path_ = one.path;
    first_ = one.first;
    at_ = 0;
    is_over_ = false;
    return true;
  }
  return false;
}

result<std::string> audit_reader::next() {
  std::string out, buffer;
  std::size_t looked_at = 0, want = piece_bytes;
  if (path_.empty()) ended_ = !open_next();
  while (!ended_ && out.size() < piece_bytes && looked_at < looked_max) {
    const descriptor file{open_audit_to_read(path_)};
    ssize_t n = 0;
    if (file.fd >= 0) {
      buffer.resize(want);
      n = ::pread(file.fd, buffer.data(), buffer.size(), static_cast<off_t>(at_));
    }
    if ((file.fd < 0 && errno != ENOENT) || n < 0)
      return error(codes::storage_unavailable,
                   path_ + ": " + std::generic_category().message(errno));
    const std::string_view all(buffer.data(), static_cast<std::size_t>(n));
    const auto whole = n > 0 ? all.rfind('\n') : all.npos;
    if (whole == all.npos) {
      // A line longer than what was read, or the end: what is no whole line is not there yet.
      if (static_cast<std::size_t>(n) == want && want < line_bytes_max) {
        want *= 2;
        continue;
      }
      ended_ = !open_next();
      continue;
    }
    want = piece_bytes;
    for (std::size_t from = 0; from <= whole;) {
      const auto end = all.find('\n', from);
      const auto line = all.substr(from, end - from);
      if (fits_audit(wanted_, line)) out.append(line).push_back('\n');
      from = end + 1;
    }
    at_ += whole + 1;
    looked_at += whole + 1;
  }
  return out;
}

}  // namespace soma::security
