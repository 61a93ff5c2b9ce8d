#include "http/net/response_head.hpp"

#include <algorithm>
#include <cassert>
#include <iterator>

#include "http/net/reason.hpp"

namespace soma::http {
namespace {

constexpr std::string_view security_headers =
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "X-Frame-Options: DENY\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n";

#ifndef NDEBUG
// What this server ever sends, so that one with a slip in its name, or with bytes that are not its
// own, ends a debug build at the first answer.
constexpr std::string_view known_headers[] = {
    "Accept-Ranges",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "Access-Control-Max-Age",
    "Allow",
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Range",
    "Content-Security-Policy",
    "Content-Type",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Set-Cookie",
    "Soma-Position",
    "Vary",
    "WWW-Authenticate",
    "X-Accel-Buffering",
    "X-Gateway-Model-Lock-Warning",
    "X-Request-ID",
};

bool is_known(std::string_view name) {
  return std::find(std::begin(known_headers), std::end(known_headers), name) !=
         std::end(known_headers);
}

bool is_printable(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}
#endif

void append_field(std::string& out, std::string_view name, std::string_view value) {
  assert(is_known(name));
  assert(is_printable(value));
  out.append(name).append(": ");
  const auto begin = out.size();
  out.append(value);
  std::replace_if(
      out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  out.append("\r\n");
}

}  // namespace

void append_head(std::string& out, const response& r, const head_options& options) {
  const char digits[] = {static_cast<char>('0' + r.status / 100 % 10),
                         static_cast<char>('0' + r.status / 10 % 10),
                         static_cast<char>('0' + r.status % 10)};
  out.append("HTTP/1.1 ").append(digits, 3).append(" ").append(reason(r.status)).append("\r\n");
  out.append(options.date);
  if (options.content_length) {
    out.append("Content-Length: ").append(std::to_string(*options.content_length)).append("\r\n");
  } else if (options.chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  }
  if (options.content_length.value_or(1) > 0 && !r.content_type.empty() && r.status != 204 &&
      r.status != 304)
    append_field(out, "Content-Type", r.content_type);
  append_field(out, "X-Request-ID", options.request_id);
  if (!r.cache_control.empty()) append_field(out, "Cache-Control", r.cache_control);
  out.append(security_headers);
  if (options.tls) out.append("Strict-Transport-Security: max-age=31536000\r\n");
  append_field(out, "Content-Security-Policy", r.content_security_policy);
  for (const auto& [name, value] : r.headers) append_field(out, name, value);
  if (!options.keep_alive) {
    out.append("Connection: close\r\n");
  } else if (options.http10) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

}  // namespace soma::http
