#include "security/policy/decision_cache.hpp"

#include <algorithm>
#include <mutex>

namespace soma::security {

std::optional<decision> decision_cache::find(const std::string& key, std::int64_t now_ms) const {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(key);
  if (at == entries_.end() || at->second.until_ms <= now_ms) return std::nullopt;
  return at->second.said;
}

void decision_cache::keep(const std::string& key, const decision& said, std::int64_t now_ms) {
  const auto ttl = said.allow ? ttl_ms_ : std::min(ttl_ms_, denial_ms_max);
  if (said.unavailable || ttl <= 0 || entries_max_ == 0) return;
  const std::lock_guard lock(mutex_);
  const auto number = next_number_++;
  entries_[key] = {said, now_ms + ttl, number};
  order_.push_back({key, number});
  // What was kept anew stands further back, too: its first place says nothing any more.
  while (!order_.empty()) {
    const auto at = entries_.find(order_.front().key);
    const bool old = at == entries_.end() || at->second.number != order_.front().number;
    if (!old && at->second.until_ms > now_ms && entries_.size() <= entries_max_) break;
    if (!old) entries_.erase(at);
    order_.pop_front();
  }
  if (order_.size() > 2 * entries_max_) {
    std::erase_if(order_, [this](const place& one) {
      const auto at = entries_.find(one.key);
      return at == entries_.end() || at->second.number != one.number;
    });
  }
}

std::size_t decision_cache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace soma::security
