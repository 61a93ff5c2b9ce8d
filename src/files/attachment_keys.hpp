// How the attachment store writes what it knows: its rows' keys, and what their states mean.
// Private to it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/codes.hpp"
#include "files/attachment_row.hpp"
#include "storage/attachment_rows.hpp"

namespace soma::files {

using storage::attachment_collection;
using storage::attachment_key;
using storage::attachment_time;

inline constexpr std::int64_t rescan_after_ms = 60'000;

inline error unknown_attachment() {
  return {codes::attachment_not_found, "there is no such attachment"};
}

inline std::string row_key(const tenant_id& tenant, std::string_view id) {
  return attachment_key({"row", tenant.value, id});
}
inline std::string due_key(std::int64_t when_ms, const stored_attachment& a) {
  return attachment_key({"due", attachment_time(when_ms), a.tenant.value, a.id});
}
inline std::string sha_key(const stored_attachment& a) {
  return attachment_key({"sha", a.content, a.tenant.value, a.id});
}

inline std::vector<std::string_view> parts_of(std::string_view key) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = std::min(key.find('\n'), key.size());
    parts.push_back(key.substr(0, end));
    if (end == key.size()) return parts;
    key.remove_prefix(end + 1);
  }
}

inline result<void> may_be_read(const stored_attachment& a) {
  if (a.sealed() && a.sha256.empty())
    return error(codes::tenant_erased, "the tenant was erased, and its key destroyed");
  switch (a.state) {
    case attachment_state::clean: return {};
    case attachment_state::pending:
      return error(codes::attachment_pending, "the attachment is not scanned yet", 5);
    case attachment_state::quarantined:
      return error(codes::attachment_quarantined, "the scanner holds the attachment for harmful");
    case attachment_state::deleted:
    case attachment_state::expired: break;
  }
  return error(codes::attachment_expired, "the attachment was deleted or is expired");
}

}  // namespace soma::files
