// What a connection may cost. A value a server is built with; defaults and reasons in
// core/limits.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/limits.hpp"

namespace soma::http {

struct net_limits {
  std::size_t header_bytes_max = limits::http_header_bytes_max;
  std::size_t header_count_max = limits::http_header_count_max;
  std::size_t connections_max = limits::http_connections_max;
  std::size_t body_bytes_max = limits::http_body_bytes_max;
  int header_timeout_ms = limits::http_header_timeout_ms;
  int body_timeout_ms = limits::http_body_timeout_ms;
  int idle_timeout_ms = limits::http_idle_timeout_ms;
  int write_timeout_ms = limits::http_write_timeout_ms;
  int linger_timeout_ms = limits::http_linger_timeout_ms;
  int linger_total_ms = limits::http_linger_total_ms;
  std::uint64_t linger_bytes_max = limits::http_linger_bytes_max;
  std::size_t lingering_max = limits::http_lingering_max;
  std::size_t refused_lingering_max = limits::http_refused_lingering_max;
  std::size_t bodies_bytes_max = limits::http_bodies_bytes_max;
  // Of connections, of one address; 0: three quarters of all.
  std::size_t connections_per_address_max = 0;
  // Requests of strangers that an address may send, an io thread; 0: any number.
  unsigned strangers_per_s = 0;
  // Requests of a caller and of an address, by all io threads; 0: any number.
  unsigned caller_per_s = 0, address_per_s = 0;
  int stop_timeout_ms = limits::http_stop_timeout_ms;
};

}  // namespace soma::http
