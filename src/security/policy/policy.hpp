// Port: may this caller do this? Implementations are thread-safe, do not block, and fail closed:
// what cannot be decided is denied, what cannot be asked is unavailable.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/sharing.hpp"

namespace soma::security {

struct counted_kind {
  std::string_view kind;
  std::uint64_t count = 0;
};

struct policy_input {
  std::string_view tenant, user;
  std::string_view role;      // admin, user or internal; empty where it is not known
  std::string_view action;    // conversation.send, tool.execute, attachment.read, …
  std::string_view resource;  // an id or a name; may be empty
  // user_id of who made the session that `resource` names; none where that is not known.
  std::optional<std::string_view> owner{};

  // ---- what the rules of a file do not look at ----
  const soma::sharing* shared = nullptr;  // of the session that `resource` names; null: not known
  std::string_view session{};             // in which it is asked, where `resource` is another thing
  std::span<const std::string> groups{};
  std::string_view key_id{}, door{}, request_id{};
  bool stale = false;  // the caller was let in once, and would not be now
  // egress.pii: what was found in what would leave, by kind; `resource` is where it would go.
  std::span<const counted_kind> found{};
};

struct decision {
  bool allow = false;
  std::string rule;          // the rule that decided
  std::string reason;        // for a person; empty when allowed
  bool unavailable = false;  // nobody could be asked; never with `allow`
};

// Somebody outside this process who is asked, and how that goes.
struct policy_source {
  std::string_view name;   // opa, openfga
  std::string_view state;  // closed, open, half_open: of the breaker before it
  std::string trouble;     // why the last call failed; empty: it did not
  std::uint64_t calls = 0, failures = 0, denials = 0;
  std::uint64_t in_flight = 0;
};

struct policy_figures {
  std::vector<policy_source> sources;  // empty: only rules are asked
  std::uint64_t cache_hits = 0, cache_misses = 0, cache_entries = 0;
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

  // Whether anybody looks at `stale`, so that finding out is worth it.
  virtual bool wants_standing() const { return false; }

  virtual policy_figures figures() const { return {}; }

  // Whoever waits is told that nobody could be asked, and what is asked later is, too. After it
  // returns no `done` is called but by `decide` itself.
  virtual void stop() {}

  // One question, for those who cannot wait.
  decision decide_now(const policy_input& asked) const;

  // For a thread that may wait, as long as an answer may take.
  void decide_waiting(std::span<const policy_input> asked, std::span<decision> answers) const;
};

// Rules of a TOML file, as config/policy.toml explains them: the first that fits decides, and what
// no rule names is denied. Errors: config.invalid, naming the rule and what is wrong with it.
result<std::unique_ptr<policy>> make_rules_policy(std::string_view toml);

}  // namespace soma::security
