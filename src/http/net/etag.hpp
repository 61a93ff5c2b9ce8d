// If-None-Match (RFC 9110, 13.1.2). Pure; thread-safe.
#pragma once

#include <algorithm>
#include <string_view>

#include "http/net/ascii.hpp"

namespace soma::http {

// Whether the header's value, a list or `*`, has this ETag. The comparison is the weak one, as a
// proxy that compresses makes ETags weak. `etag` comes with its quotes; no header matches nothing.
constexpr bool any_etag_matches(std::string_view list, std::string_view etag) {
  const auto strong = etag.substr(etag.starts_with("W/") ? 2 : 0);
  if (trim(list) == "*") return true;
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    auto item = trim(list.substr(0, comma));
    if (item.starts_with("W/")) item.remove_prefix(2);
    if (item == strong) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace soma::http
