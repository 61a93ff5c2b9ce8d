// What a sealed value of an event, and a title, is bound to. Private to sealing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/event.hpp"
#include "storage/event_log.hpp"

namespace soma::sealing {

// Made once a session, and its last bytes for each event.
class event_place {
 public:
  explicit event_place(const session_key& key)
      : text_("e" + key.tenant.value + '\0' + key.session.value + '\0' + std::string(9, '\0')) {}
  std::string_view of(std::uint64_t seq, event_type type) {
    auto at = text_.end();
    *--at = static_cast<char>(type);
    for (int n = 0; n < 8; ++n, seq >>= 8) *--at = static_cast<char>(seq & 0xff);
    return text_;
  }

 private:
  std::string text_;
};

inline std::string title_place(const tenant_id& tenant, const storage::session_info& info) {
  return "t" + tenant.value + '\0' + std::to_string(info.created_at_ms);
}

}  // namespace soma::sealing
