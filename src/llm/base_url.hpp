// The one place where a provider's base URL is brought into its normal form and taken apart. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace soma::llm {

// scheme://host[:port]/path: scheme and host in lower case, default ports, double and final slashes
// and a final endpoint (/chat/completions, /messages …) left out; no path at all is /v1. Fails with
// config.invalid, never repeating the URL, for anything but http and https, and for user names,
// queries and fragments: those carry secrets into logs.
result<std::string> normalize_base_url(std::string_view url);

struct url_parts {
  bool tls = false;
  std::string host;  // IPv6 without brackets
  std::uint16_t port = 0;
  std::string host_header;  // as in the URL: brackets, and the port unless it is the default
  std::string path;         // empty or /…
};

// `normalized` is what normalize_base_url gave.
url_parts split_base_url(std::string_view normalized);

}  // namespace soma::llm
