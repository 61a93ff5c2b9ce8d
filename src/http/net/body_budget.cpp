#include "http/net/body_budget.hpp"

namespace soma::http {

std::size_t body_budget::theirs(std::string_view tenant) const {
  const auto at = by_tenant_.find(tenant);
  return at == by_tenant_.end() ? 0 : at->second;
}

bool body_budget::grow(share& held, std::string_view tenant, std::size_t bytes) {
  if (bytes <= held.bytes_) return true;
  const auto more = bytes - held.bytes_;
  const std::lock_guard lock(mutex_);
  if (held_ + more > bytes_max_ || theirs(tenant) + more > bytes_max_ / 2) return false;
  take(held, tenant, bytes);
  return true;
}

bool body_budget::grow_for_answer(share& held, std::string_view tenant, std::size_t bytes) {
  if (bytes <= held.bytes_) return true;
  const auto more = bytes - held.bytes_;
  const std::lock_guard lock(mutex_);
  const auto fits = held_ + more <= bytes_max_ && theirs(tenant) + more <= bytes_max_ / 2;
  if (!fits && (theirs(tenant) > 0 || held_ >= bytes_max_)) return false;
  take(held, tenant, bytes);
  return true;
}

void body_budget::count(share& held, std::string_view tenant, std::size_t bytes) {
  if (bytes <= held.bytes_) return;
  const std::lock_guard lock(mutex_);
  take(held, tenant, bytes);
}

void body_budget::take(share& held, std::string_view tenant, std::size_t bytes) {
  const auto more = bytes - held.bytes_;
  held_ += more;
  by_tenant_.try_emplace(std::string(tenant), 0).first->second += more;
  held.of_ = shared_from_this();
  held.tenant_ = tenant;
  held.bytes_ = bytes;
}

void body_budget::share::release() {
  const auto of = std::move(of_);
  const auto bytes = std::exchange(bytes_, 0);
  if (!of) return;
  const std::lock_guard lock(of->mutex_);
  of->held_ -= bytes;
  const auto at = of->by_tenant_.find(tenant_);
  if ((at->second -= bytes) == 0) of->by_tenant_.erase(at);
}

std::size_t body_budget::bytes_held() const {
  const std::lock_guard lock(mutex_);
  return held_;
}

}  // namespace soma::http
