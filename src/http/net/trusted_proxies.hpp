// Whose word on the client's address is taken: proxies that are named by address or network, in the
// one header that they set. Immutable; thread-safe.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "http/net/request_context.hpp"

namespace soma::http {

class trusted_proxies {
 public:
  trusted_proxies() = default;  // nobody's

  // `networks`: "10.0.0.7", "10.0.0.0/8", "fd00::/8". `header`: "x-forwarded-for" or "forwarded"
  // (RFC 7239). config.invalid where one of them is not of that form.
  static result<trusted_proxies> make(const std::vector<std::string>& networks,
                                      std::string_view header);

  // The last address in the header that is no trusted proxy's, where `peer` is one; else `peer`.
  // What cannot be read ends the walk: the proxy before it is then the client.
  boost::asio::ip::address client_of(const boost::asio::ip::address& peer,
                                     const request_context& ctx) const;
  bool trusts(const boost::asio::ip::address& address) const;

 private:
  struct network {
    boost::asio::ip::address_v6::bytes_type bytes;  // IPv4 as ::ffff:a.b.c.d
    unsigned bits = 128;
  };
  std::vector<network> networks_;
  bool forwarded_ = false;
};

}  // namespace soma::http
