// How many streams a tenant has open, and no more than its share: one tenant's readers must not
// take the connections of all. Thread-safe; a short lock where a stream opens or ends.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>

#include "core/ids.hpp"

namespace soma::http {

class stream_places {
 public:
  explicit stream_places(std::size_t per_tenant_max)
      : state_(std::make_shared<state>()), per_tenant_max_(per_tenant_max) {}

  // A place, given back with its last holder; null where the tenant has none left.
  std::shared_ptr<void> enter(const tenant_id& tenant) {
    const std::lock_guard lock(state_->mutex);
    const auto at = state_->open.try_emplace(tenant, 0).first;
    if (at->second >= per_tenant_max_) return nullptr;
    ++at->second;
    return {state_.get(), [kept = state_, tenant](void*) {
              const std::lock_guard release(kept->mutex);
              const auto of = kept->open.find(tenant);
              if (--of->second == 0) kept->open.erase(of);
            }};
  }

 private:
  struct state {
    std::mutex mutex;
    std::map<tenant_id, std::size_t> open;
  };
  const std::shared_ptr<state> state_;
  const std::size_t per_tenant_max_;
};

}  // namespace soma::http
