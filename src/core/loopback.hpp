// This machine's own address: the one place where it is written out. Everything else takes hosts
// and ports from the configuration.
#pragma once

#include <string_view>

namespace soma {

inline constexpr std::string_view loopback_address = "127.0.0.1";
inline constexpr std::string_view loopback_name = "localhost";

inline bool is_loopback(std::string_view host) {
  return host == loopback_name || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

}  // namespace soma
