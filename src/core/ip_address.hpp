// Which addresses are everybody's and which belong to a machine or a private network. Pure.
//
// Source: IANA's special-purpose address registries (RFC 6890 and its updates).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace soma {

using ip_address = std::array<std::uint8_t, 16>;  // IPv4 as ::ffff:a.b.c.d

// Dotted decimal with four parts, or IPv6 text without brackets or zone.
std::optional<ip_address> parse_ip(std::string_view text);

ip_address from_v4(std::uint32_t host_order);

// False for loopback, private, link-local (cloud metadata among them), shared, multicast,
// documentation and reserved ranges, also where an IPv6 address carries an IPv4 one.
bool is_public(const ip_address& address);

}  // namespace soma
