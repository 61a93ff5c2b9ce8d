// What soma repair reads of sealed events where it makes a session's head anew of them, so that
// title, owner and sharing are not lost with the head. Keys are asked for when the first sealed
// value is met: a store that needs none is mended without.
//
// Of one thread; may block, where the keys are opened.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "security/secrets/tenant_keys.hpp"
#include "storage/store_repair.hpp"

namespace soma::sealing {

class repair_values final : public storage::sealed_values {
 public:
  using open_keys = std::function<result<std::unique_ptr<security::tenant_keys>>()>;
  explicit repair_values(open_keys open) : open_(std::move(open)) {}

  result<bool> open_event(const session_key& key, std::uint64_t seq, event_type type,
                          std::string& json) override;
  result<void> seal_title(const tenant_id& tenant, storage::session_info& info) override;

 private:
  result<std::shared_ptr<const security::value_key>> key_of(const tenant_id& tenant);

  const open_keys open_;
  std::unique_ptr<security::tenant_keys> keys_;
};

}  // namespace soma::sealing
