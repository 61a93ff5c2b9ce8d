#include "security/peer_network.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace soma::security {
namespace {

constexpr std::size_t own_bytes = 8, site_bytes = 6;
// ::ffff:0:0/96, as IPv4 comes by a socket of IPv6.
constexpr std::array<char, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '\xff', '\xff'};

}  // namespace

peer_network network_of(std::string_view peer) {
  const std::string text(peer);
  std::array<char, 16> bytes{};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return {text, {}};
  if (std::equal(mapped.begin(), mapped.end(), bytes.begin())) {
    std::array<char, INET_ADDRSTRLEN> plain{};
    ::inet_ntop(AF_INET, bytes.data() + mapped.size(), plain.data(), plain.size());
    return {plain.data(), {}};
  }
  peer_network out;
  out.own.assign("6").append(bytes.data(), own_bytes);
  out.site.assign("s").append(bytes.data(), site_bytes);
  return out;
}

}  // namespace soma::security
