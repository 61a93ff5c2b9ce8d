// Port: may this caller do this? Implementations are thread-safe, do not block, and fail closed:
// what cannot be decided is denied.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace soma::security {

struct policy_input {
  std::string_view tenant, user;
  std::string_view role;      // admin or user; empty where it is not known: inside a session
  std::string_view action;    // conversation.send, tool.execute, attachment.read, …
  std::string_view resource;  // an id or a name; may be empty
};

struct decision {
  bool allow = false;
  std::string rule;    // the rule that decided
  std::string reason;  // for a person; empty when allowed
};

class policy {
 public:
  virtual ~policy() = default;
  virtual decision decide(const policy_input& input) const = 0;
};

// Rules of a TOML file, as config/policy.toml explains them: the first that fits decides, and what
// no rule names is denied. Errors: config.invalid, naming the rule and what is wrong with it.
result<std::unique_ptr<policy>> make_rules_policy(std::string_view toml);

}  // namespace soma::security
