#include "http/body_budget.hpp"

namespace soma::http {

bool body_budget::grow(share& held, std::string_view tenant, std::size_t bytes) {
  if (bytes <= held.bytes_) return true;
  const auto more = bytes - held.bytes_;
  const std::lock_guard lock(mutex_);
  auto at = by_tenant_.find(tenant);
  const auto theirs = at == by_tenant_.end() ? 0 : at->second;
  if (held_ + more > bytes_max_ || theirs + more > bytes_max_ / 2) return false;
  if (at == by_tenant_.end()) at = by_tenant_.emplace(tenant, 0).first;
  held_ += more;
  at->second += more;
  held.of_ = shared_from_this();
  held.tenant_ = tenant;
  held.bytes_ = bytes;
  return true;
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
