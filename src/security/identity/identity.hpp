// Who asks: what a request carries once it is authenticated. A value; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.hpp"

namespace soma::security {

enum class role : std::uint8_t { user, admin };
enum class via : std::uint8_t { api_key, admin_key, cookie, ticket };

inline std::string_view to_string(role r) {
  return r == role::admin ? "admin" : "user";
}

struct identity {
  tenant_id tenant;
  user_id user;
  std::string key_id;  // of an API key; empty otherwise
  security::role role = role::user;
  security::via via = via::api_key;
  session_id only_session;  // ticket: reads this session and nothing else; empty otherwise
  // What ends with the identity, a stream say, knows it by these: until when it holds (0: no end),
  // and a hash of the browser's cookie, which is its session's id; empty where there is none.
  std::int64_t expires_at_ms = 0;
  std::string cookie_hash{};
  std::vector<std::string> groups{};  // as an OpenID provider said; for policy
};

// An identity that is gone: all that was let in by a key, by a cookie, or as a user.
struct gone_identity {
  std::string key_id, cookie_hash;
  // One of the three.
  tenant_id tenant{};
  user_id user{};
};

}  // namespace soma::security
