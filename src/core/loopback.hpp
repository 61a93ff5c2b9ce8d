// This machine's own address: the one place where it is written out. Everything else takes hosts
// and ports from the configuration.
#pragma once

#include <string_view>

#include "core/ip_address.hpp"

namespace soma {

inline constexpr std::string_view loopback_address = "127.0.0.1";
inline constexpr std::string_view loopback_name = "localhost";

// 127.0.0.0/8 in dotted decimal: no name that begins like it.
inline bool is_loopback_v4(std::string_view host) {
  if (!host.starts_with("127.")) return false;
  const auto address = parse_ip(host);
  return address && (*address)[10] == 0xff && (*address)[12] == 127;
}

inline bool is_loopback(std::string_view host) {
  return host == loopback_name || host == "::1" || host == "[::1]" || is_loopback_v4(host);
}

}  // namespace soma
