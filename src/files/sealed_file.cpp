#include "files/sealed_file.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "core/codes.hpp"
#include "security/digest.hpp"

namespace soma::files {
namespace {

constexpr std::size_t tag_bytes = security::gcm_tag_bytes, salt_bytes = 16;
constexpr std::size_t sealed_frame = sealed_frame_bytes + tag_bytes;
constexpr std::string_view beginning{"SOMAFILE\1\0\0\0\0\0\0\0", 16};
constexpr std::size_t header_bytes = beginning.size() + salt_bytes;

std::atomic<std::uint64_t> in_memory{0};  // bytes of the copies that there are

secret_string key_of_file(const security::value_key& key, std::string_view salt) {
  return key.derive("file\n" + std::string(salt));
}

std::string nonce_of(std::uint64_t number, bool last) {
  std::string nonce(security::gcm_nonce_bytes, '\0');
  for (int at = 7; at >= 0; --at, number >>= 8) nonce[at] = static_cast<char>(number & 0xff);
  nonce.back() = last ? 1 : 0;
  return nonce;
}

std::uint64_t frames_of(std::uint64_t plain_bytes) {
  return std::max<std::uint64_t>(1, (plain_bytes + sealed_frame_bytes - 1) / sealed_frame_bytes);
}

error damaged() {
  return {codes::storage_corrupt, "its bytes do not open with the tenant's key: they are damaged"};
}

// Short only at the end of the file.
result<std::string> read_at(int file, std::uint64_t at, std::size_t bytes) {
  std::string out(bytes, '\0');
  std::size_t got = 0;
  while (got < bytes) {
    const auto n = ::pread(file, out.data() + got, bytes - got, static_cast<off_t>(at + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return error(errno == EIO ? codes::storage_corrupt : codes::storage_unavailable,
                   std::string("its bytes cannot be read: ") + std::strerror(errno));
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  out.resize(got);
  return out;
}

}  // namespace

std::uint64_t sealed_file_bytes(std::uint64_t plain_bytes) {
  return header_bytes + plain_bytes + frames_of(plain_bytes) * tag_bytes;
}

std::string sealed_file_name(const security::value_key& key, std::string_view sha256) {
  return security::hex(
      security::bytes_of(security::hmac_sha256(key.derive("file names").reveal(), sha256)));
}

file_sealer::file_sealer(const security::value_key& key)
    : file_sealer(key, security::random_bytes(salt_bytes)) {}

file_sealer::file_sealer(const security::value_key& key, std::string_view salt)
    : key_(key_of_file(key, salt)), header_(std::string(beginning) + std::string(salt)) {}

std::string file_sealer::frame(std::string_view plain, bool last) {
  std::string out = std::move(header_);
  header_.clear();
  const auto at = out.size();
  out.resize(at + plain.size() + tag_bytes);
  char* const into = out.data() + at;
  key_.seal(nonce_of(number_++, last).data(), {}, plain, into, into + plain.size());
  return out;
}

// A whole frame waits until more comes, since it may be the last.
std::string file_sealer::add(std::string_view plain) {
  std::string out;
  while (!plain.empty()) {
    if (waiting_.size() == sealed_frame_bytes) {
      out += frame(waiting_, false);
      waiting_.clear();
    }
    const auto part = plain.substr(0, sealed_frame_bytes - waiting_.size());
    waiting_ += part;
    plain.remove_prefix(part.size());
  }
  return out;
}

std::string file_sealer::finish() {
  return frame(waiting_, true);
}

result<std::shared_ptr<const file_unsealer>> file_unsealer::open(const security::value_key& key,
                                                                 int file,
                                                                 std::uint64_t plain_bytes) {
  auto header = read_at(file, 0, header_bytes);
  if (!header) return header.error();
  if (header->size() < header_bytes || !header->starts_with(beginning)) return damaged();
  return std::shared_ptr<const file_unsealer>(new file_unsealer(
      key_of_file(key, std::string_view(*header).substr(beginning.size())), plain_bytes));
}

result<std::string> file_unsealer::read(int file, std::uint64_t at, std::size_t bytes) const {
  std::string out;
  if (at > plain_bytes_) return out;
  bytes = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, plain_bytes_ - at));
  const auto last = frames_of(plain_bytes_) - 1;
  out.reserve(bytes);
  // An empty file has a frame, too, and it has to be there.
  do {
    const auto number = std::min(at / sealed_frame_bytes, last);
    const auto plain = static_cast<std::size_t>(
        std::min<std::uint64_t>(sealed_frame_bytes, plain_bytes_ - number * sealed_frame_bytes));
    auto sealed = read_at(file, header_bytes + number * sealed_frame, plain + tag_bytes);
    if (!sealed) return sealed.error();
    std::string opened(plain, '\0');
    if (sealed->size() != plain + tag_bytes ||
        !key_.open(nonce_of(number, number == last).data(), {}, {sealed->data(), plain},
                   sealed->data() + plain, opened.data()))
      return damaged();
    const auto from = static_cast<std::size_t>(at - number * sealed_frame_bytes);
    const auto part = std::string_view(opened).substr(from, bytes - out.size());
    out += part;
    at += part.size();
    if (part.empty()) break;
  } while (out.size() < bytes);
  return out;
}

result<copy_in_memory> copy_to_memory(const file_unsealer& from, int file,
                                      std::uint64_t plain_bytes) {
  if (plain_bytes > copy_in_memory_bytes_max)
    return error(codes::upload_too_large,
                 "a sealed file of more than 64 MiB is not given to programs");
  struct room {
    std::uint64_t bytes;
    int fd = -1;
    explicit room(std::uint64_t n) : bytes(n) { in_memory += n; }
    ~room() {
      if (fd >= 0) ::close(fd);
      in_memory -= bytes;
    }
    room(const room&) = delete;
  };
  const auto held = std::make_shared<room>(plain_bytes);
  if (in_memory > copies_in_memory_bytes_max)
    return error(codes::server_busy, "many sealed files are given to programs already", 1);
  const auto failed = [] {
    return error(codes::storage_unavailable,
                 std::string("no copy in memory: ") + std::strerror(errno));
  };
  const int copy = held->fd = ::memfd_create("soma-attachment", MFD_CLOEXEC);
  if (copy < 0) return failed();
  for (std::uint64_t at = 0; at < plain_bytes;) {
    const auto piece = from.read(file, at, sealed_frame_bytes);
    if (!piece) return piece.error();
    if (piece->empty()) return damaged();
    for (std::size_t done = 0; done < piece->size();) {
      const auto n = ::write(copy, piece->data() + done, piece->size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return failed();
      done += static_cast<std::size_t>(n);
    }
    at += piece->size();
  }
  return copy_in_memory{held, "/proc/self/fd/" + std::to_string(copy)};
}

}  // namespace soma::files
