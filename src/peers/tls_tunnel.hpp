// Mutual TLS around the links of CAF, whose own does not clear OpenSSL's errors: there one stranger
// whose handshake fails ends the links that are good (docs/decisions/0211). CAF speaks plainly over
// the loopback to this, and this to the other nodes: TLS 1.3, and both ends show a certificate that
// the cluster's authority signed, before a byte reaches CAF.
//
// Bounds: `tunnels_max` connections, what a handshake may take, some kilobytes a connection.
//
// Threads: one of its own; open and the end belong to one thread and block, the rest is constant.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace soma::peers {

inline constexpr std::size_t tunnels_max = 256;  // of links, those that shake hands among them

struct endpoint {
  std::string host;
  std::uint16_t port = 0;
};

class tls_tunnel {
 public:
  // `folder`: with ca.pem, node.pem, node.key. Who is let in at `listen` speaks with the port `to`
  // of the loopback. Errors: config.invalid with the key that is wrong.
  static result<std::unique_ptr<tls_tunnel>> open(const std::string& folder, const endpoint& listen,
                                                  std::uint16_t to,
                                                  const std::vector<endpoint>& peers);
  virtual ~tls_tunnel() = default;

  virtual std::uint16_t port() const = 0;  // where it listens for others
  // Ports of the loopback, one a peer: who connects there speaks with that peer.
  virtual const std::vector<std::uint16_t>& ways() const = 0;
};

}  // namespace soma::peers
