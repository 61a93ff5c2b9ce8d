// A caller's question to policy. A view: what `who`, `action` and `resource` point to outlives it.
#pragma once

#include <string_view>

#include "app/caller.hpp"
#include "security/policy/policy.hpp"

namespace soma::app {

inline security::policy_input policy_question(const caller& who, std::string_view action,
                                              std::string_view resource) {
  security::policy_input asked{who.tenant.value, who.user.value, to_string(who.role), action,
                               resource};
  asked.groups = who.groups;
  asked.key_id = who.key_id;
  asked.door = to_string(who.door);
  asked.request_id = who.request_id;
  return asked;
}

}  // namespace soma::app
