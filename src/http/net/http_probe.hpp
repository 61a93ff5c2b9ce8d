// What the HTTP server tells about itself; the metrics live behind it. Called on io threads, so an
// implementation is thread-safe and does not block. `route` is an operation id or "unmatched",
// never a path: the number of label values is bounded by the routes.
#pragma once

#include <chrono>
#include <string_view>

#include "http/net/verb.hpp"

namespace soma::http {

class http_probe {
 public:
  virtual ~http_probe() = default;
  virtual void on_request(std::string_view route, verb method, int status,
                          std::chrono::nanoseconds latency) noexcept = 0;
  virtual void on_connection_opened() noexcept = 0;
  virtual void on_connection_closed() noexcept = 0;
  virtual void on_connection_refused() noexcept = 0;
};

}  // namespace soma::http
