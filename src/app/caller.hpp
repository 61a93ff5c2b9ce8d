// Who asks, and by which door: made once, where a request comes in, and carried unchanged into
// events' origin, policy, audit, models, tools and the log. A value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.hpp"
#include "core/json_writer.hpp"
#include "core/session_state.hpp"

namespace soma::app {

// The tenant of who runs the server: of the key of the configuration, and of the sign-in link.
inline constexpr std::string_view operators_tenant = "default";

enum class role : std::uint8_t { anonymous, user, admin, internal };

constexpr std::string_view to_string(role r) {
  switch (r) {
    case role::user: return "user";
    case role::admin: return "admin";
    case role::internal: return "internal";
    case role::anonymous: break;
  }
  return "";
}

// How a request came in.
enum class door : std::uint8_t { http, kafka };

constexpr std::string_view to_string(door d) {
  return d == door::kafka ? "kafka" : "http";
}

struct caller {
  tenant_id tenant;
  user_id user;
  app::role role = app::role::anonymous;
  std::string key_id;  // of an API key; empty otherwise
  bool is_cookie = false;
  std::string cookie_hash;          // of a browser's session; empty otherwise
  std::vector<std::string> groups;  // as an OpenID provider said; empty otherwise
  std::int64_t expires_at_ms = 0;   // of the identity; 0: no end
  std::int64_t judged_at_ms = 0;  // when it was asked who this is, by a clock that never goes back
  std::string request_id;
  std::string trace_id;        // 32 hexadecimal digits
  std::string parent_span_id;  // 16, of what asked; empty where that is not known
  app::door door = app::door::http;
  std::size_t io_thread = 0;  // whose bridge carries what it asks of actors
};

inline origin origin_of(const caller& who) {
  std::string actor;
  json_writer w(actor);
  w.begin_object().field("role", to_string(who.role));
  if (!who.groups.empty()) {
    w.key("groups").begin_array();
    for (const auto& group : who.groups) w.string(group);
    w.end_array();
  }
  w.field_if("key_id", who.key_id).field("door", to_string(who.door)).end_object();
  return {who.user.value, who.request_id, who.trace_id, std::move(actor)};
}

}  // namespace soma::app
