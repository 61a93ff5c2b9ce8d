#include "files/checked_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <optional>
#include <system_error>
#include <utility>

#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "security/digest.hpp"

namespace soma::files {
namespace {

constexpr std::size_t piece_bytes = 256 * 1024;

error unreadable(int number) {
  const auto why = std::generic_category().message(number);
  if (number == ENOENT) return {codes::storage_corrupt, "its bytes are not there"};
  if (number == EIO) return {codes::storage_corrupt, "its bytes cannot be read: " + why};
  return {codes::storage_unavailable, "its bytes cannot be read: " + why};
}

error not_its_own() {
  return {codes::storage_corrupt, "its bytes are damaged: they do not have their SHA-256"};
}

result<std::string> sha256_of(int file) {
  security::sha256_stream hash;
  std::string piece(piece_bytes, '\0');
  (void)::posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL);
  for (off_t at = 0;;) {
    const auto got = ::pread(file, piece.data(), piece.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unreadable(errno);
    if (got == 0) return security::hex(security::bytes_of(hash.finish()));
    hash.update(std::string_view(piece).substr(0, static_cast<std::size_t>(got)));
    at += got;
  }
}

result<std::string> sha256_of(int file, const file_unsealer& by, std::uint64_t size_bytes) {
  security::sha256_stream hash;
  std::uint64_t at = 0;
  do {
    const auto piece = by.read(file, at, sealed_frame_bytes);
    if (!piece) return piece.error();
    hash.update(*piece);
    at += piece->size();
    if (piece->empty()) break;
  } while (at < size_bytes);
  return security::hex(security::bytes_of(hash.finish()));
}

}  // namespace

file_handle::~file_handle() {
  if (fd_ >= 0) ::close(fd_);
}

int file_handle::release() {
  return std::exchange(fd_, -1);
}

result<std::string> sha256_of_file(const file_handle& file) {
  return sha256_of(file.get());
}

result<file_handle> checked_files::open(const std::string& path, std::string_view sha256,
                                        std::uint64_t size_bytes, bool may_read,
                                        const security::value_key* key) {
  file_handle file(open_without_waiting(path.c_str(), O_RDONLY | O_NOFOLLOW));
  if (file.get() < 0) return unreadable(errno);
  if (const auto kind = kind_if_no_file(file.get()); !kind.empty())
    return error(codes::storage_corrupt,
                 "its bytes are not there: " + std::string(kind) + " is in their place");
  struct stat now {};
  if (::fstat(file.get(), &now) != 0) return unreadable(errno);
  const auto wanted = key ? sealed_file_bytes(size_bytes) : size_bytes;
  if (static_cast<std::uint64_t>(now.st_size) != wanted)
    return error(codes::storage_corrupt, "its bytes are damaged: there are " +
                                             std::to_string(now.st_size) + " of " +
                                             std::to_string(wanted));
  if (key) {
    auto by = file_unsealer::open(*key, file.get(), size_bytes);
    if (!by) return by.error();
    file.set_sealed(std::move(*by));
  }
  const known_file identity{now.st_dev, now.st_ino, size_bytes,
                            now.st_ctim.tv_sec * 1'000'000'000 + now.st_ctim.tv_nsec};
  const std::string& name = path;
  const auto known = [&]() -> std::optional<bool> {
    const std::lock_guard lock(mutex_);
    const auto at = findings_.find(name);
    if (at == findings_.end() || !(at->second.file == identity)) return std::nullopt;
    if (std::chrono::steady_clock::now() - at->second.at > believed_for) return std::nullopt;
    return at->second.good;
  };
  auto good = known();
  if (!good && !may_read) return file_handle();
  if (!good) {
    const std::lock_guard alone(looking_[std::hash<std::string>{}(name) % looking_.size()]);
    good = known();
    if (!good) {
      const auto found =
          file.sealed() ? sha256_of(file.get(), *file.sealed(), size_bytes) : sha256_of(file.get());
      if (!found) return found.error();
      good = *found == sha256;
      const std::lock_guard lock(mutex_);
      if (findings_.size() >= findings_max) findings_.clear();
      findings_.insert_or_assign(name, finding{identity, *good, std::chrono::steady_clock::now()});
    }
  }
  if (!*good) return not_its_own();
  return file;
}

}  // namespace soma::files
