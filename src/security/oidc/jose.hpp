// Signatures of an OpenID provider's tokens: JSON Web Keys and compact JSON Web Signatures (RFC
// 7515, 7517, 7518, 8037), over OpenSSL. Only what a provider signs identities with: RS256 and
// ES256 and EdDSA with Ed25519. No algorithm without a key and none with a shared one is known
// here, so that a token cannot choose one.
//
// Pure; thread-safe. Errors: auth.invalid with a sentence that repeats nothing of the token.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace soma::security::oidc {

inline constexpr std::size_t token_bytes_max = 16 * 1024;  // a header's worth, as servers take
inline constexpr std::size_t kid_bytes_max = 256;
inline constexpr std::size_t keys_max = 64;  // of one provider, of those that are usable
inline constexpr unsigned rsa_bits_min = 2048, rsa_bits_max = 8192;

enum class algorithm : std::uint8_t { rs256, es256, eddsa };

// Of the three alone.
std::optional<algorithm> algorithm_named(std::string_view name);

class public_key {
 public:
  // None where it is of another kind, for another use, or no good key of its kind.
  static std::optional<public_key> read(const boost::json::object& jwk);

  const std::string& kid() const { return kid_; }
  oidc::algorithm algorithm() const { return algorithm_; }
  bool verifies(std::string_view data, std::string_view signature) const;

 private:
  std::string kid_;  // empty: none is given
  oidc::algorithm algorithm_{};
  std::shared_ptr<void> key_;  // EVP_PKEY
};

// The keys of a JWK set that can be used here; those that cannot are passed over. Errors:
// dependency.unavailable, where it is no set or has more keys than keys_max.
using key_set = std::vector<public_key>;
result<key_set> read_key_set(std::string_view text);

// A token taken apart, and nothing of it believed.
struct unverified_token {
  oidc::algorithm algorithm{};
  std::string kid, typ;  // empty: none
  std::string signed_part, signature;
  boost::json::object claims;
};
result<unverified_token> read_token(std::string_view text);

// The key that a token names, or the only one of its algorithm where it names none.
const public_key* key_for(const unverified_token& token, const key_set& keys);

}  // namespace soma::security::oidc
