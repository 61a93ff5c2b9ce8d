// Port: may this identity do this? Implementations are thread-safe and fail closed: what cannot be
// decided is denied.
#pragma once

#include <string>
#include <string_view>

#include "security/identity.hpp"

namespace soma::security {

struct policy_input {
  const identity& who;
  std::string_view action;    // conversation.send, tool.execute, settings.update, …
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

// Allows whoever has a tenant, but a ticket, which may only read its stream.
class allow_authenticated final : public policy {
 public:
  decision decide(const policy_input& input) const override {
    if (input.who.tenant.empty() || input.who.user.empty())
      return {false, "authenticated", "no identity"};
    if (input.who.via == via::ticket) return {false, "ticket", "a ticket only reads its stream"};
    return {true, "authenticated", {}};
  }
};

}  // namespace soma::security
