#include "app/file_services.hpp"

namespace soma::app {
namespace {

// Tenants whose places may all be taken at once: each body holds a piece in memory and a
// descriptor.
constexpr std::size_t busy_tenants_max = 8;

}  // namespace

upload_places::upload_places(std::size_t tenant_max)
    : tenant_max_(tenant_max),
      user_max_(tenant_max - tenant_max / 4),
      all_max_(tenant_max * busy_tenants_max) {}

bool upload_places::take(const tenant_id& tenant, const user_id& user) {
  const std::lock_guard hold(mutex_);
  const auto count = [](const auto& in, const auto& key) {
    const auto at = in.find(key);
    return at == in.end() ? std::size_t{0} : at->second;
  };
  const std::pair person(tenant, user);
  if (all_ >= all_max_ || count(of_tenants_, tenant) >= tenant_max_ ||
      count(of_users_, person) >= user_max_)
    return false;
  ++all_;
  ++of_tenants_[tenant];
  ++of_users_[person];
  return true;
}

void upload_places::give_back(const tenant_id& tenant, const user_id& user) {
  const std::lock_guard hold(mutex_);
  --all_;
  if (const auto at = of_tenants_.find(tenant); --at->second == 0) of_tenants_.erase(at);
  if (const auto at = of_users_.find({tenant, user}); --at->second == 0) of_users_.erase(at);
}

}  // namespace soma::app
