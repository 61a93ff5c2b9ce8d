// The bytes before a response's body. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/net/response.hpp"

namespace soma::http {

struct head_options {
  std::string_view date;  // "Date: …\r\n"
  std::string_view request_id;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
  bool http10 = false;
  bool tls = false;  // the client has to come by TLS from now on (RFC 6797)
};

// Appends status line and headers, with the empty line. Control characters in header values become
// spaces, so that no value can make a header of its own; a debug build ends at one, as at
// a header whose name it does not know.
void append_head(std::string& out, const response& r, const head_options& options);

}  // namespace soma::http
