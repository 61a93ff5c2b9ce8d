#include "security/audit/audit_follower.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>

#include "core/codes.hpp"
#include "security/audit/audit_chain.hpp"
#include "security/audit/audit_folder.hpp"

namespace soma::security {
namespace {

constexpr std::size_t piece_bytes = 256 * 1024, line_bytes_max = 16 * 1024 * 1024;

struct descriptor {
  int fd;
  ~descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

void audit_follower::go_back(std::uint64_t next) {
  next_ = next;
  path_.clear();
  is_over_ = false;
}

// The segment that has the next record, or the oldest behind it; or the one behind that which was
// read to its end. Records may have come into that one before this one was begun, so it is read on
// once more first. False: there is none.
bool audit_follower::open_next() {
  const audit_segment* found = nullptr;
  const auto all = audit_segments(folder_);
  for (const auto& one : all) {
    if (!path_.empty()) {
      if (one.first <= first_) continue;
      if (!is_over_) return is_over_ = true;
      found = &one;
      break;
    }
    if (found && one.first > next_) break;
    found = &one;
  }
  if (!found) return false;
  path_ = found->path;
  first_ = found->first;
  at_ = 0;
  is_over_ = false;
  return true;
}

void audit_follower::take(std::string_view line, std::vector<record>& to) {
  const auto link = audit_link_of(line);
  if (!link || link->seq < next_) return;  // the number of one that is none is seen to be missing
  left_out_ += link->seq - next_;
  next_ = link->seq + 1;
  to.push_back({link->seq, std::string(line)});
}

result<std::vector<audit_follower::record>> audit_follower::more() {
  std::vector<record> out;
  std::string buffer;
  std::size_t want = piece_bytes;
  if (path_.empty() && !open_next()) return out;
  while (out.empty()) {
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
      if (!open_next()) return out;
      continue;
    }
    want = piece_bytes;
    for (std::size_t from = 0; from <= whole;) {
      const auto end = all.find('\n', from);
      take(all.substr(from, end - from), out);
      from = end + 1;
    }
    at_ += whole + 1;
  }
  return out;
}

}  // namespace soma::security
