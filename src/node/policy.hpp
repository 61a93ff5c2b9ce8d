// Policy as the configuration has it: the rules of a file, and whoever else is asked.
#pragma once

#include <memory>

#include "core/config.hpp"
#include "core/error.hpp"
#include "security/policy/policy.hpp"

namespace soma {

// Errors: config.invalid, for rules or an address that cannot be read; nobody is asked yet.
result<void> check_policy(const config& settings);

// The same, and the threads that ask. Errors: config.invalid.
result<std::unique_ptr<security::policy>> make_policy(const config& settings);

}  // namespace soma
