// Port: may this caller do this? Implementations are thread-safe, do not block, and fail closed:
// what cannot be decided is denied, what cannot be asked is unavailable.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace soma::security {

struct policy_input {
  std::string_view tenant, user;
  std::string_view role;      // admin or user; empty where it is not known: inside a session
  std::string_view action;    // conversation.send, tool.execute, attachment.read, …
  std::string_view resource;  // an id or a name; may be empty
  // user_id of who made the session that `resource` names; none where that is not known.
  std::optional<std::string_view> owner{};
};

struct decision {
  bool allow = false;
  std::string rule;          // the rule that decided
  std::string reason;        // for a person; empty when allowed
  bool unavailable = false;  // nobody could be asked; never with `allow`
};

class policy {
 public:
  virtual ~policy() = default;

  // Answers `asked` in `answers`, one each. True: they are there now, and `done` is never called.
  // False: `done` is called once, on any thread, when they are; both spans and what they point to
  // live until then. With an empty `done` nobody waits: what is not there at once is answered as
  // unavailable, and true returned.
  virtual bool decide(std::span<const policy_input> asked, std::span<decision> answers,
                      std::function<void()> done) const = 0;

  // Whether any rule speaks of the action; without one it is denied to all.
  virtual bool names(std::string_view /*action*/) const { return true; }

  // Whether an answer about the action may hang on the owner, so that asking with it is worth a
  // look.
  virtual bool wants_owner(std::string_view /*action*/) const { return false; }

  // One question, for those who cannot wait.
  decision decide_now(const policy_input& asked) const;
};

// Rules of a TOML file, as config/policy.toml explains them: the first that fits decides, and what
// no rule names is denied. Errors: config.invalid, naming the rule and what is wrong with it.
result<std::unique_ptr<policy>> make_rules_policy(std::string_view toml);

}  // namespace soma::security
