// How many of something are there at once: of one tenant no more than its share, of all no more
// than there may be. One tenant must not take what all need. Thread-safe; a short lock where one
// begins or ends.
#pragma once

#include <cstddef>
#include <limits>
#include <map>
#include <memory>
#include <mutex>

#include "core/ids.hpp"

namespace soma {

class tenant_places {
 public:
  explicit tenant_places(std::size_t per_tenant_max,
                         std::size_t all_max = std::numeric_limits<std::size_t>::max())
      : state_(std::make_shared<state>()), per_tenant_max_(per_tenant_max), all_max_(all_max) {}

  // A place, given back with its last holder; null where the tenant, or everybody, has none left.
  std::shared_ptr<void> enter(const tenant_id& tenant) {
    const std::lock_guard lock(state_->mutex);
    auto at = state_->open.find(tenant);
    const auto theirs = at == state_->open.end() ? 0 : at->second;
    if (theirs >= per_tenant_max_ || state_->all >= all_max_) return nullptr;
    if (at == state_->open.end()) at = state_->open.emplace(tenant, 0).first;
    ++at->second;
    ++state_->all;
    return {state_.get(), [kept = state_, tenant](void*) {
              const std::lock_guard release(kept->mutex);
              const auto of = kept->open.find(tenant);
              if (--of->second == 0) kept->open.erase(of);
              --kept->all;
            }};
  }

 private:
  struct state {
    std::mutex mutex;
    std::size_t all = 0;
    std::map<tenant_id, std::size_t> open;
  };
  const std::shared_ptr<state> state_;
  const std::size_t per_tenant_max_, all_max_;
};

}  // namespace soma
