// Looks through what tools and SomaBrain would be sent, as the tenant's mode of personal data has
// it; see security/pii/egress_guard.hpp. Thread-safe.
#pragma once

#include <functional>
#include <string>

#include "memory/somabrain.hpp"
#include "security/pii/egress_guard.hpp"
#include "tools/catalog_runner.hpp"

namespace soma {

// `then` is called once, before it returns or later on any thread. Does not block.
void screen_tool_call(security::pii::egress_guard& guard, const tools::tool_caller& who,
                      const tools::tool_request& call,
                      std::function<void(tools::screened_call)> then);

// For threads that may wait.
memory::outgoing_screen screen_of_memory(security::pii::egress_guard& guard);

}  // namespace soma
