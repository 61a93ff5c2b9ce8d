// The rules of who may do what, from the configuration.
#pragma once

#include <memory>

#include "core/config.hpp"
#include "core/error.hpp"
#include "security/policy/policy.hpp"

namespace soma {

// The rules of policy.file, else those built in. Errors: config.invalid.
result<std::unique_ptr<security::policy>> policy_of(const config& settings);

// Logs the actions of the API that no rule names.
void say_unnamed_actions(const security::policy& rules);

}  // namespace soma
