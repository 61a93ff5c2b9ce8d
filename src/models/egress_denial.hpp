// What a call is told that may not leave. A failure has no member for the rule that denied: its
// words begin with it, as those of tools do. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/codes.hpp"
#include "core/error.hpp"
#include "core/event.hpp"
#include "security/policy/policy.hpp"

namespace soma::models {

inline constexpr std::string_view policy_away_words =
    "whether this is allowed could not be asked, so nothing was done";
inline constexpr std::string_view rule_mark = "rule ", rule_end = ": ";

// `said` does not allow.
inline failure denial_of(const security::decision& said) {
  if (said.unavailable)
    return {std::string(codes::dependency_unavailable), std::string(policy_away_words), true};
  return {std::string(codes::policy_denied),
          std::string(rule_mark) + said.rule + std::string(rule_end) + said.reason, false};
}

inline error denial_error(const security::decision& said) {
  if (said.unavailable)
    return error(codes::dependency_unavailable, std::string(policy_away_words), 1).about("policy");
  return error(codes::policy_denied, said.reason).by_rule(said.rule);
}

// The same of a failure with one of these codes, as a door tells it; others stay as they are.
inline error with_rule(error why) {
  if (why.code == codes::dependency_unavailable && why.detail == policy_away_words) {
    why.retry_after_s = 1;
    return std::move(why).about("policy");
  }
  if (why.code != codes::policy_denied || !why.detail.starts_with(rule_mark)) return why;
  const auto end = why.detail.find(rule_end);
  if (end == std::string::npos) return why;
  auto rule = why.detail.substr(rule_mark.size(), end - rule_mark.size());
  why.detail.erase(0, end + rule_end.size());
  return std::move(why).by_rule(std::move(rule));
}

}  // namespace soma::models
