#include "backup/copying.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "core/codes.hpp"
#include "tools/sandbox/descriptors.hpp"

namespace soma::backup {
namespace {

constexpr std::size_t piece_bytes = 256 * 1024;

error failed() {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return {full ? codes::storage_full : codes::storage_unavailable, std::strerror(errno)};
}

// Hands each piece to `take`.
template <class Take>
result<void> read_all(int from, std::uint64_t bytes_max, pace& at, Take take) {
  std::vector<char> buffer(piece_bytes);
  while (bytes_max > 0) {
    const auto n = ::read(from, buffer.data(), std::min<std::uint64_t>(bytes_max, buffer.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return error(codes::storage_corrupt,
                   std::string("it cannot be read: ") + std::strerror(errno));
    if (n == 0) break;
    const auto size = static_cast<std::size_t>(n);
    bytes_max -= size;
    if (auto taken = take(std::string_view(buffer.data(), size)); !taken) return taken.error();
    if (auto goes_on = at.took(size); !goes_on) return goes_on.error();
  }
  return {};
}

result<void> write_all(int into, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(into, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failed();
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

result<void> read_content(const std::string& contents, const entry& one, pace& at,
                          const std::function<result<void>(std::string_view)>& take) {
  const auto damaged = [&](const std::string& why) {
    return error(codes::storage_corrupt, one.path + ": its content " + one.sha256 + " " + why);
  };
  const tools::descriptor from(::open(files::content_path(contents, one.sha256).c_str(),
                                      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat found {};
  if (!from || ::fstat(from.get(), &found) != 0 || !S_ISREG(found.st_mode))
    return damaged("is not there");
  security::sha256_stream hash;
  std::uint64_t size = 0;
  auto read = read_all(from.get(), UINT64_MAX, at, [&](std::string_view piece) -> result<void> {
    hash.update(piece);
    size += piece.size();
    return take(piece);
  });
  if (!read) return read;
  if (size != one.size || security::hex(security::bytes_of(hash.finish())) != one.sha256)
    return damaged("is damaged");
  ++at.now().files;
  at.now().bytes += size;
  return {};
}

}  // namespace

pace::pace(std::uint64_t bytes_per_s, std::function<bool(const progress&)> goes_on)
    : bytes_per_s_(bytes_per_s), goes_on_(std::move(goes_on)) {}

result<void> pace::took(std::uint64_t bytes) {
  if (goes_on_ && !goes_on_(now_)) return error(codes::backup_stopped, "the backup was stopped");
  if (bytes_per_s_ == 0) return {};
  const auto took =
      std::chrono::duration<double>(static_cast<double>(bytes) / static_cast<double>(bytes_per_s_));
  // What was not used before is not made up for.
  free_at_ = std::max(free_at_, clock::now()) + std::chrono::duration_cast<clock::duration>(took);
  std::this_thread::sleep_until(free_at_);
  return {};
}

result<void> keep(int from, std::uint64_t bytes_max, const files::content_files& contents, pace& at,
                  entry& out) {
  auto writer = contents.begin();
  if (!writer) return writer.error();
  auto read =
      read_all(from, bytes_max, at, [&](std::string_view piece) { return writer->append(piece); });
  if (!read) return read;
  if (auto whole = writer->finish(); !whole) return whole;
  out.sha256 = writer->sha256();
  out.size = writer->size_bytes();
  ++at.now().files;
  at.now().bytes += out.size;
  struct stat there {};
  const bool known = ::stat(contents.path_of(out.sha256).c_str(), &there) == 0;
  if (!known) at.now().new_bytes += out.size;
  // Also over one that is there: its bytes may be damaged, and these are known to be good.
  return contents.publish(*writer);
}

result<void> hash(int from, std::uint64_t bytes_max, pace& at, entry& out) {
  security::sha256_stream read_so_far;
  out.size = 0;
  auto read = read_all(from, bytes_max, at, [&](std::string_view piece) -> result<void> {
    read_so_far.update(piece);
    out.size += piece.size();
    return {};
  });
  if (!read) return read;
  out.sha256 = security::hex(security::bytes_of(read_so_far.finish()));
  return {};
}

result<void> bring_back(const std::string& contents, const entry& one, int into, pace& at) {
  return read_content(contents, one, at,
                      [&](std::string_view piece) { return write_all(into, piece); });
}

result<void> check_content(const std::string& contents, const entry& one, pace& at) {
  return read_content(contents, one, at, [](std::string_view) { return result<void>(); });
}

bool sync_folder(const std::string& folder) {
  const tools::descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return opened && (::fsync(opened.get()) == 0 || errno == EINVAL);
}

}  // namespace soma::backup
