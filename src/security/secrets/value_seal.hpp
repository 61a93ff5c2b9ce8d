// Values of a store, sealed under the key of a tenant: AES-256-GCM, bound to the place where the
// value stands, so that one moved elsewhere does not open.
//
// A sealed value is ciphertext | tag (16 bytes) | nonce (12) | mark (4). The text stays where it
// is, so that opening one copies nothing. The mark ends in a byte with which no JSON text ends:
// values that were never sealed are told apart and left as they are.
//
// The nonce is 8 random bytes and a count of 4, made anew for each thread and each 2^32 values: two
// are the same only where two of the random ones are, of which there are few.
//
// Thread-safe. Pure but for the random bytes. A failure of the library has no remedy and aborts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/secret.hpp"
#include "security/secrets/aes_gcm.hpp"

namespace soma::security {

inline constexpr std::size_t seal_overhead_bytes = 32;

bool is_sealed(std::string_view value);

class value_key {
 public:
  // 32 bytes. Values are sealed under one derived of it, so that it is used in one way alone.
  explicit value_key(secret_string key, gcm_engine by = best_gcm_engine());

  // Makes `value` its sealed form. One with room for the overhead is not moved.
  void seal(std::string& value, std::string_view bound_to) const;
  // The other way round. False: another key, another place, or it was changed; `value` is then
  // empty.
  bool unseal(std::string& value, std::string_view bound_to) const;

  // A key of its own for another purpose, 32 bytes; the same for the same words.
  secret_string derive(std::string_view purpose) const;

 private:
  secret_string key_;
  gcm_key values_;
};

}  // namespace soma::security
