// A question to policy in the words of others: as JSON, as a key of a cache, and what kind of thing
// it is about. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "security/policy/policy.hpp"

namespace soma::security {

// session, tool, attachment, memory, tool_catalog, mcp_server, model_profile, credential, settings,
// key, dead_letter, persona, task, delegation, audit, model, egress; for an action that nobody
// knows, what stands before its dot.
std::string_view resource_type(std::string_view action);

// The contract's "policy input": {tenant, user, action, resource, context}.
std::string input_json(const policy_input& asked, std::int64_t now_ms);

// What an answer hangs on: all of the question but its request and its time.
std::string question_key(const policy_input& asked);

// Secrets, keys and what changes them: asked anew each time.
bool is_kept(std::string_view action);

}  // namespace soma::security
