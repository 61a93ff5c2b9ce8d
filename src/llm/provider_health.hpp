// What is known of providers' health, shared by all calls of a process: a circuit breaker for each
// provider and model, and a budget that keeps retries from becoming a storm.
//
// A breaker opens after `failures_to_open` failures in a row, refuses for `open_ms`, then lets one
// call through: its success closes the breaker, its failure opens it again. Thread-safe; time comes
// from the caller, in milliseconds of a steady clock.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/may_block.hpp"

namespace soma::llm {

struct health_rules {
  std::uint32_t failures_to_open = 5;
  std::int64_t open_ms = 10'000;
  // Retries allowed for each call made, and how many may be saved up.
  double retries_a_call = 0.2;
  double retries_saved_max = 20;
};

class provider_health {
 public:
  static constexpr std::size_t breakers_max = 4096;

  explicit provider_health(const health_rules& rules = {})
      : rules_(rules), retries_(rules.retries_saved_max) {}

  // Whether a call may be made now. The one that tries an open breaker must report its end.
  bool admit(std::string_view key, std::int64_t now_ms);
  void succeeded(std::string_view key);
  void failed(std::string_view key, std::int64_t now_ms);
  // The call ended without telling anything of the provider: it was cancelled, or at fault itself.
  void undecided(std::string_view key);

  bool take_retry();

  std::vector<std::string> open_breakers(std::int64_t now_ms) const;

 private:
  struct breaker {
    std::uint32_t failures = 0;
    std::int64_t open_until_ms = 0;  // 0: closed
    bool trying = false;
  };

  const health_rules rules_;
  mutable quick_mutex mutex_;
  std::map<std::string, breaker, std::less<>> breakers_;  // of those that failed last
  double retries_;
};

}  // namespace soma::llm
