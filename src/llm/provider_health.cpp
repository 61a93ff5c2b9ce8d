#include "llm/provider_health.hpp"

#include <algorithm>

namespace soma::llm {

bool provider_health::admit(std::string_view key, std::int64_t now_ms) {
  std::lock_guard lock(mutex_);
  retries_ = std::min(rules_.retries_saved_max, retries_ + rules_.retries_a_call);
  const auto at = breakers_.find(key);
  if (at == breakers_.end() || at->second.open_until_ms == 0) return true;
  if (now_ms < at->second.open_until_ms || at->second.trying) return false;
  at->second.trying = true;
  return true;
}

void provider_health::succeeded(std::string_view key) {
  std::lock_guard lock(mutex_);
  if (const auto at = breakers_.find(key); at != breakers_.end()) breakers_.erase(at);
}

void provider_health::failed(std::string_view key, std::int64_t now_ms) {
  std::lock_guard lock(mutex_);
  auto at = breakers_.find(key);
  if (at == breakers_.end()) {
    // Forgetting all opens no door that matters: each opens again after its next failures.
    if (breakers_.size() >= breakers_max) breakers_.clear();
    at = breakers_.emplace(key, breaker{}).first;
  }
  auto& b = at->second;
  b.trying = false;
  if (++b.failures >= rules_.failures_to_open) b.open_until_ms = now_ms + rules_.open_ms;
}

void provider_health::undecided(std::string_view key) {
  std::lock_guard lock(mutex_);
  if (const auto at = breakers_.find(key); at != breakers_.end()) at->second.trying = false;
}

bool provider_health::take_retry() {
  std::lock_guard lock(mutex_);
  if (retries_ < 1) return false;
  retries_ -= 1;
  return true;
}

std::vector<std::string> provider_health::open_breakers(std::int64_t now_ms) const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> open;
  for (const auto& [key, b] : breakers_)
    if (b.open_until_ms > now_ms) open.push_back(key);
  return open;
}

}  // namespace soma::llm
