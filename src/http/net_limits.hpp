// What a connection may cost. A value a server is built with; defaults and reasons in
// core/limits.hpp.
#pragma once

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
  int stop_timeout_ms = limits::http_stop_timeout_ms;
};

}  // namespace soma::http
