#include "core/byte_budget.hpp"

namespace soma {

std::size_t byte_budget::theirs(std::string_view tenant) const {
  const auto at = by_tenant_.find(tenant);
  return at == by_tenant_.end() ? 0 : at->second;
}

bool byte_budget::grow(share& held, std::string_view tenant, std::size_t bytes) {
  if (bytes <= held.bytes_) return true;
  const auto more = bytes - held.bytes_;
  const std::lock_guard lock(mutex_);
  if (held_ + more > bytes_max_ || theirs(tenant) + more > tenant_bytes_max()) return false;
  take(held, tenant, bytes);
  return true;
}

bool byte_budget::grow_for_answer(share& held, std::string_view tenant, std::size_t bytes) {
  if (bytes <= held.bytes_) return true;
  const auto more = bytes - held.bytes_;
  const std::lock_guard lock(mutex_);
  const auto fits = held_ + more <= bytes_max_ && theirs(tenant) + more <= tenant_bytes_max();
  if (!fits && (theirs(tenant) > 0 || held_ >= bytes_max_)) return false;
  take(held, tenant, bytes);
  return true;
}

void byte_budget::count(share& held, std::string_view tenant, std::size_t bytes) {
  if (bytes <= held.bytes_) return;
  const std::lock_guard lock(mutex_);
  take(held, tenant, bytes);
}

void byte_budget::take(share& held, std::string_view tenant, std::size_t bytes) {
  const auto more = bytes - held.bytes_;
  held_ += more;
  by_tenant_.try_emplace(std::string(tenant), 0).first->second += more;
  held.of_ = shared_from_this();
  held.tenant_ = tenant;
  held.bytes_ = bytes;
}

void byte_budget::share::release() {
  shrink(0);
  of_.reset();
}

void byte_budget::share::shrink(std::size_t bytes) {
  if (!of_ || bytes >= bytes_) return;
  const auto fewer = std::exchange(bytes_, bytes) - bytes;
  const std::lock_guard lock(of_->mutex_);
  of_->held_ -= fewer;
  const auto at = of_->by_tenant_.find(tenant_);
  if ((at->second -= fewer) == 0) of_->by_tenant_.erase(at);
}

std::size_t byte_budget::bytes_held() const {
  const std::lock_guard lock(mutex_);
  return held_;
}

}  // namespace soma
