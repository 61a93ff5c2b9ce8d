// Answers that were given a moment ago, by the whole of their questions. Bounded: past
// `entries_max` the oldest go. Thread-safe; never blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/may_block.hpp"
#include "security/policy/policy.hpp"

namespace soma::security {

class decision_cache {
 public:
  decision_cache(std::size_t entries_max, std::int64_t ttl_ms)
      : entries_max_(entries_max), ttl_ms_(ttl_ms) {}

  // A denial is kept for at most this long, so that who was let in need not wait.
  static constexpr std::int64_t denial_ms_max = 1000;

  std::optional<decision> find(const std::string& key, std::int64_t now_ms) const;
  // What is unavailable is no answer, and is not kept.
  void keep(const std::string& key, const decision& said, std::int64_t now_ms);
  std::size_t size() const;

 private:
  struct entry {
    decision said;
    std::int64_t until_ms = 0;
    std::uint64_t number = 0;
  };
  struct place {
    std::string key;
    std::uint64_t number = 0;  // of the entry as it was kept then
  };

  const std::size_t entries_max_;
  const std::int64_t ttl_ms_;
  mutable quick_mutex mutex_;
  std::unordered_map<std::string, entry> entries_;
  std::deque<place> order_;  // oldest first; at most twice as many as entries
  std::uint64_t next_number_ = 1;
};

}  // namespace soma::security
