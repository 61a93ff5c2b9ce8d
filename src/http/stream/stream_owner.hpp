// With whose identity a stream was opened, in a few bytes: a stream ends with it. Pure values.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "http/net/request_context.hpp"
#include "security/identity/identity.hpp"

namespace soma::http {

struct stream_owner {
  // Hashes: two that are equal by accident end a stream too early, and it is opened again.
  std::uint64_t key = 0, cookie = 0;  // 0: none
  std::int64_t expires_at_ms = 0;     // 0: no end

  static std::uint64_t hash_of(std::string_view text) {
    return text.empty() ? 0 : std::hash<std::string_view>{}(text);
  }
  static stream_owner of(const app::caller& who) {
    return {hash_of(who.key_id), hash_of(who.cookie_hash), who.expires_at_ms};
  }
  static stream_owner of(const security::gone_identity& gone) {
    return {hash_of(gone.key_id), hash_of(gone.cookie_hash)};
  }
  bool goes_with(const stream_owner& gone) const {
    return (gone.key != 0 && key == gone.key) || (gone.cookie != 0 && cookie == gone.cookie);
  }
};

}  // namespace soma::http
