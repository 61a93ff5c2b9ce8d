#include "security/audit/audit_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "observability/line_writer.hpp"

namespace soma::security {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view ending = ".ndjson";
constexpr std::size_t digits = 16, piece_bytes = 1024 * 1024;
constexpr std::size_t checkpoint_bytes_max = 16 * 1024;
// No record is longer: what is gives it is damaged.
constexpr std::size_t line_bytes_max = 16 * 1024 * 1024;

error failed(const std::string& path) {
  return {codes::storage_unavailable, path + ": " + std::generic_category().message(errno)};
}

struct descriptor {
  int fd;
  ~descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

std::string checkpoint_path(const std::string& folder) {
  return folder + "/checkpoint.json";
}

ssize_t read_some(int fd, char* to, std::size_t size) {
  ssize_t n;
  do n = ::read(fd, to, size);
  while (n < 0 && errno == EINTR);
  return n;
}

}  // namespace

std::string audit_segment_path(const std::string& folder, std::uint64_t first) {
  auto number = std::to_string(first);
  if (number.size() < digits) number.insert(0, digits - number.size(), '0');
  return folder + "/" + number + std::string(ending);
}

std::vector<audit_segment> audit_segments(const std::string& folder) {
  std::vector<audit_segment> out;
  std::error_code ec;
  for (fs::directory_iterator at(folder, ec), end; !ec && at != end; at.increment(ec)) {
    const auto name = at->path().filename().string();
    if (name.size() < digits + ending.size() || !name.ends_with(ending)) continue;
    audit_segment one;
    const auto* last = name.data() + name.size() - ending.size();
    const auto number = std::from_chars(name.data(), last, one.first);
    if (number.ec != std::errc() || number.ptr != last) continue;
    one.path = at->path().string();
    out.push_back(std::move(one));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return out;
}

int open_audit_to_read(const std::string& path) {
  return open_without_waiting(path.c_str(), O_RDONLY);
}

result<std::string> each_audit_line(const std::string& path,
                                    const std::function<bool(std::string_view)>& take) {
  const descriptor file{open_audit_to_read(path)};
  if (file.fd < 0) return failed(path);
  std::string buffer;
  std::size_t there = 0;
  for (;;) {
    if (there > line_bytes_max)
      return error(codes::storage_corrupt, path + ": a line of it is too long");
    if (buffer.size() < there + piece_bytes) buffer.resize(there + piece_bytes);
    const auto n = read_some(file.fd, buffer.data() + there, piece_bytes);
    if (n < 0) return failed(path);
    if (n == 0) return buffer.substr(0, there);
    const std::string_view all(buffer.data(), there + static_cast<std::size_t>(n));
    std::size_t from = 0;
    for (auto end = all.find('\n', there); end != all.npos; end = all.find('\n', from)) {
      if (!take(all.substr(from, end - from))) return std::string();
      from = end + 1;
    }
    there = all.size() - from;
    std::copy(all.begin() + static_cast<std::ptrdiff_t>(from), all.end(), buffer.begin());
  }
}

result<std::string> audit_text(const std::string& path, std::size_t bytes_max) {
  const descriptor file{open_audit_to_read(path)};
  if (file.fd < 0) return failed(path);
  std::string text;
  while (text.size() < bytes_max) {
    const auto before = text.size();
    text.resize(std::min(before + piece_bytes, bytes_max));
    const auto n = read_some(file.fd, text.data() + before, text.size() - before);
    if (n < 0) return failed(path);
    text.resize(before + static_cast<std::size_t>(n));
    if (n == 0) break;
  }
  return text;
}

result<std::optional<audit_head>> audit_checkpoint(const std::string& folder) {
  const auto path = checkpoint_path(folder);
  const auto text = audit_text(path, checkpoint_bytes_max);
  if (!text && errno == ENOENT) return std::optional<audit_head>();
  if (!text) return text.error();
  auto head = parse_audit_head(*text);
  if (!head || !head->is_checkpoint)
    return error(codes::storage_corrupt, path + ": is no checkpoint");
  return std::optional<audit_head>(std::move(*head));
}

bool sync_audit_folder(const std::string& folder) {
  const descriptor dir{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  return dir.fd >= 0 && ::fsync(dir.fd) == 0;
}

bool keep_audit_file(const std::string& folder, const std::string& path, std::string_view text) {
  const auto fresh = path + ".new";
  {
    const descriptor file{
        ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
    std::size_t written = 0;
    if (file.fd < 0 || !write_all(file.fd, text, written) || ::fsync(file.fd) != 0) return false;
  }
  return std::rename(fresh.c_str(), path.c_str()) == 0 && sync_audit_folder(folder);
}

bool keep_audit_checkpoint(const std::string& folder, const audit_head& what) {
  return keep_audit_file(folder, checkpoint_path(folder), to_json(what) + "\n");
}

}  // namespace soma::security
