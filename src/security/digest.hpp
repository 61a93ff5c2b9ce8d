// Hashes, keyed hashes, random bytes and their text forms, over OpenSSL. Pure but for random_bytes;
// thread-safe. A failure of the library has no remedy and aborts.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace soma::security {

using digest = std::array<unsigned char, 32>;

inline std::string_view bytes_of(const digest& d) {
  return {reinterpret_cast<const char*>(d.data()), d.size()};
}

digest sha256(std::string_view data);

// SHA-256 of what comes in pieces. Movable; used by one thread at a time.
class sha256_stream {
 public:
  sha256_stream();
  ~sha256_stream();
  sha256_stream(sha256_stream&& other) noexcept;
  sha256_stream& operator=(sha256_stream&&) = delete;

  void update(std::string_view piece);
  digest finish();  // once; nothing is added after

 private:
  void* context_;
};

digest hmac_sha256(std::string_view key, std::string_view data);

// Takes the same time wherever the two differ; only their lengths can be learned.
bool constant_time_equal(std::string_view a, std::string_view b);

std::string random_bytes(std::size_t count);

std::string hex(std::string_view bytes);
// RFC 4648 section 5, without padding.
std::string base64url(std::string_view bytes);
// Accepts exactly what base64url writes: one text for each byte string.
std::optional<std::string> parse_base64url(std::string_view text);

}  // namespace soma::security
