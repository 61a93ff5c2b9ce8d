// Policy by several: the rules of a file first, and where they allow, whoever outside is set up
// (OPA, OpenFGA); all must allow. Answers are kept for a moment; somebody who keeps failing is left
// alone for a while, and what would be asked meanwhile is unavailable. Nothing outside is ever
// believed to allow what it did not say.
//
// Rules and kept answers come at once; else `done` is called on a thread of a wire.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "security/policy/decision_source.hpp"
#include "security/policy/policy.hpp"
#include "security/policy/policy_wire.hpp"

namespace soma::security {

struct joined_limits {
  std::int64_t timeout_ms = 500;  // of one call
  std::int64_t cache_ms = 2000;   // 0: nothing is kept
  std::size_t cache_entries_max = 10'000;
  std::size_t in_flight_max = 256;  // calls of one source; past it nobody is asked
  unsigned breaker_failures = 5;    // in a row
  std::int64_t breaker_ms = 1000;
};

struct outside_source {
  std::unique_ptr<decision_source> what;
  std::unique_ptr<policy_wire> wire;
};

class joined_policy final : public policy {
 public:
  // Told of what goes wrong outside, once each time a breaker opens or closes; must not block.
  using say_trouble =
      std::function<void(std::string_view source, std::string_view state, std::string_view why)>;

  // `clock`: milliseconds since 1970.
  joined_policy(std::unique_ptr<policy> rules, std::vector<outside_source> sources,
                joined_limits limits, std::function<std::int64_t()> clock, say_trouble say = {});
  ~joined_policy() override;  // stops

  bool decide(std::span<const policy_input> asked, std::span<decision> answers,
              std::function<void()> done) const override;
  bool names(std::string_view action) const override { return rules_->names(action); }
  bool wants_owner(std::string_view action) const override;
  bool wants_standing() const override { return true; }
  policy_figures figures() const override;
  void stop() override;

 private:
  struct source;
  struct asking;
  void ask(source& whom, const std::shared_ptr<asking>& of, std::vector<std::size_t> which) const;
  void keep(const asking& of, std::int64_t now_ms) const;
  void answered(source& whom, const std::shared_ptr<asking>& of,
                const std::vector<std::size_t>& which, wire_answer got) const;

  struct state;
  const std::unique_ptr<policy> rules_;
  const joined_limits limits_;
  const std::function<std::int64_t()> clock_;
  const say_trouble say_;
  const std::unique_ptr<state> state_;
  std::vector<std::unique_ptr<source>> sources_;  // the last: their wires call back until they end
};

}  // namespace soma::security
