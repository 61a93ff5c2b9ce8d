// What If-Match says of the version that is there (RFC 9110, 13.1.1). Pure; thread-safe.
#pragma once

#include <string_view>

namespace soma {

// Whether a change may be made: the header is empty (no condition), `*` and there is a version, or
// a list that names it. The comparison is the strong one: a weak ETag names nothing here. `etag`
// comes with its quotes and holds no comma; empty where there is no version.
constexpr bool if_match_permits(std::string_view header, std::string_view etag) {
  const auto trimmed = [](std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
  };
  header = trimmed(header);
  if (header.empty()) return true;
  if (etag.empty()) return false;
  if (header == "*") return true;
  while (!header.empty()) {
    const auto comma = header.find(',');
    if (trimmed(header.substr(0, comma)) == etag) return true;
    header.remove_prefix(comma == header.npos ? header.size() : comma + 1);
  }
  return false;
}

}  // namespace soma
