// A caller's question to policy, and what he is told where it has no answer.
#pragma once

#include <string_view>

#include "app/caller.hpp"
#include "core/codes.hpp"
#include "core/error.hpp"
#include "security/policy/policy.hpp"

namespace soma::app {

// A view: what `who`, `action` and `resource` point to outlives it.
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

// Where nobody who has to be asked answers.
inline error policy_is_away() {
  return error(codes::dependency_unavailable,
               "whether this is allowed could not be asked, so nothing was done", 1)
      .about("policy");
}

}  // namespace soma::app
