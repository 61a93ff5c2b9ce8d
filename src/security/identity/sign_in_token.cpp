#include "security/identity/sign_in_token.hpp"

namespace soma::security {

std::string sign_in_token::rotate(std::int64_t now_ms) {
  std::string token = base64url(random_bytes(32));
  const std::lock_guard lock(mutex_);
  hash_ = sha256(token);
  expires_at_ms_ = now_ms + ttl_ms;
  return token;
}

bool sign_in_token::redeem(std::string_view token, std::int64_t now_ms) {
  const digest given = sha256(token);
  const std::lock_guard lock(mutex_);
  if (now_ms >= expires_at_ms_ || !constant_time_equal(bytes_of(given), bytes_of(hash_)))
    return false;
  expires_at_ms_ = 0;
  return true;
}

}  // namespace soma::security
