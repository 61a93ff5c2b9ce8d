// Who looks at memories, and whether he may see one: the one place that decides it. Pure.
#pragma once

#include <string_view>

#include "core/ids.hpp"

namespace soma::memory {

struct viewer {
  tenant_id tenant;
  user_id user;
};

// Whoever may use the tenant sees all of its sessions, and memories follow their sessions. `owner`
// and `session` are the item's.
inline bool may_see(const viewer& /*who*/, std::string_view /*owner*/,
                    std::string_view /*session*/) {
  return true;
}

}  // namespace soma::memory
