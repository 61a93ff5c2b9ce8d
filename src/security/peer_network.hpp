// What an address counts as where callers are told apart by it. Of IPv6 the network of 64 bits,
// since a client has 2^64 addresses in it, and the one of 48, which one customer of a provider may
// have whole. Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace soma::security {

struct peer_network {
  std::string own;   // an address of IPv4; of IPv6 its network; else the text as it is
  std::string site;  // of IPv6 the network around it; else empty
};

// `peer`: an address without a port. The names are for comparing, not for showing.
peer_network network_of(std::string_view peer);

}  // namespace soma::security
