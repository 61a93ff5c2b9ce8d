// The address that libcurl is about to connect to: where requests are judged for the last time.
#pragma once

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>

#include <cstring>
#include <optional>

#include "core/ip_address.hpp"

namespace soma::tools {

// None for a family that is no address of the web.
inline std::optional<ip_address> address_in(const curl_sockaddr& of) {
  if (of.family == AF_INET)
    return from_v4(ntohl(reinterpret_cast<const sockaddr_in*>(&of.addr)->sin_addr.s_addr));
  if (of.family != AF_INET6) return std::nullopt;
  ip_address six;
  std::memcpy(six.data(), &reinterpret_cast<const sockaddr_in6*>(&of.addr)->sin6_addr, six.size());
  return six;
}

}  // namespace soma::tools
