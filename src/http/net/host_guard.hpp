// Refuses what a foreign web page could make a browser send here: a Host this server does not
// answer for (DNS rebinding) and a request of another site (CSRF). Immutable; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "http/net/request_context.hpp"

namespace soma::http {

// "https://name:port/path" → "name:port"; empty where the text is no URL.
std::string_view host_of_url(std::string_view url);

class host_guard {
 public:
  host_guard() = default;
  // Names without scheme, with or without a port; without one, any port is taken. Loopback names
  // (localhost, 127.0.0.1, [::1]) are always taken.
  // Pages of `origins` (RFC 6454, as in the Origin header, of any scheme) may ask with a bearer
  // token, never with a cookie.
  explicit host_guard(std::vector<std::string> hosts, std::vector<std::string> origins = {});

  bool accepts_host(std::string_view host) const;
  // `origin` as in the Origin header: "http://localhost:21016". "null" is foreign.
  // An origin on loopback must have the request's own host and port: other programs of the machine
  // serve pages there, too. One that is configured may differ.
  bool accepts_origin(std::string_view origin, std::string_view host) const;

  // Whether its page is let read answers (CORS). Exact, but for the case of letters.
  bool shares_with(std::string_view origin) const;

  // host.refused or origin.refused. Runs before authentication, so it asks whether a cookie is sent
  // and not whether it is good.
  std::optional<error> check(std::string_view host, const request_context& ctx) const;

 private:
  bool configured(std::string_view host) const;

  std::vector<std::string> hosts_, origins_;
};

}  // namespace soma::http
