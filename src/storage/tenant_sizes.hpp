// About what each tenant's events take on the disk: what was measured, and what was added since.
// Thread-safe; never blocks. Private to storage.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/ids.hpp"
#include "core/may_block.hpp"

namespace soma::storage {

class tenant_sizes {
 public:
  // What is added is more than it takes once it is compressed: it is measured again so often.
  static constexpr std::uint64_t measured_every_bytes = 4u << 20;

  // True where it is to be measured now.
  bool add(const tenant_id& tenant, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto [at, fresh] = sizes_.try_emplace(tenant);
    at->second.added += bytes;
    return fresh || at->second.added >= measured_every_bytes;
  }
  void measured(const tenant_id& tenant, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    sizes_[tenant] = {bytes, 0};
  }
  // 0 where nothing was added yet.
  std::uint64_t of(const tenant_id& tenant) const {
    const std::lock_guard lock(mutex_);
    const auto at = sizes_.find(tenant);
    return at == sizes_.end() ? 0 : at->second.measured + at->second.added;
  }
  std::vector<tenant_id> known() const {
    const std::lock_guard lock(mutex_);
    std::vector<tenant_id> all;
    for (const auto& [tenant, size] : sizes_) all.push_back(tenant);
    return all;
  }

 private:
  struct size {
    std::uint64_t measured = 0, added = 0;
  };
  mutable quick_mutex mutex_;
  std::unordered_map<tenant_id, size> sizes_;
};

}  // namespace soma::storage
