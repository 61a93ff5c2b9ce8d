// AES-256-GCM of one piece at a time, under a key that is made ready once. Of a short piece, what a
// general library does around the cipher takes several times as long as the cipher: so it is done
// by libipsec-mb, whose one call does all of it, where the build found that library and the
// processor has the instructions; else by OpenSSL. Both make the same bytes.
//
// Thread-safe. Pure. A failure of a library has no remedy and aborts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "core/secret.hpp"

namespace soma::security {

inline constexpr std::size_t gcm_key_bytes = 32, gcm_nonce_bytes = 12, gcm_tag_bytes = 16;

enum class gcm_engine { openssl, ipsec_mb };

// What is used here, unless a test asks for the other.
gcm_engine best_gcm_engine();

class gcm_key {
 public:
  // gcm_key_bytes of them.
  explicit gcm_key(secret_string key, gcm_engine by = best_gcm_engine());
  ~gcm_key();
  gcm_key(gcm_key&&) noexcept;  // what is left is good for nothing
  gcm_key& operator=(gcm_key&&) = delete;

  // `into` gets as many bytes as `plain` has, and may be where these are; `tag` gets
  // gcm_tag_bytes. The nonce, gcm_nonce_bytes, is never used twice with the key.
  void seal(const char* nonce, std::string_view bound_to, std::string_view plain, char* into,
            char* tag) const;
  // False: another key, place or nonce, or it was changed; what `into` has then is worth nothing.
  bool open(const char* nonce, std::string_view bound_to, std::string_view sealed, const char* tag,
            char* into) const;

  std::string_view reveal() const { return key_.reveal(); }

 private:
  struct schedule;  // of libipsec-mb
  secret_string key_;
  std::unique_ptr<schedule> ready_;  // null: OpenSSL's
  std::uint64_t number_;             // tells keys of this process apart
};

}  // namespace soma::security
