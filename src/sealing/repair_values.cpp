#include "sealing/repair_values.hpp"

#include "core/codes.hpp"
#include "sealing/value_places.hpp"

namespace soma::sealing {

result<std::shared_ptr<const security::value_key>> repair_values::key_of(const tenant_id& tenant) {
  if (!keys_) {
    auto opened = open_();
    if (!opened) return opened.error();
    keys_ = std::move(*opened);
  }
  return keys_->for_reading(tenant);
}

result<bool> repair_values::open_event(const session_key& key, std::uint64_t seq, event_type type,
                                       std::string& json) {
  if (!security::is_sealed(json)) return false;
  const auto by = key_of(key.tenant);
  if (!by) return by.error();
  if ((*by)->unseal(json, event_place(key).of(seq, type))) return true;
  return error(codes::storage_corrupt, "a sealed event does not open");
}

result<void> repair_values::seal_title(const tenant_id& tenant, storage::session_info& info) {
  if (info.title.empty()) return {};
  const auto by = key_of(tenant);
  if (!by) return by.error();
  (*by)->seal(info.title, title_place(tenant, info));
  return {};
}

}  // namespace soma::sealing
