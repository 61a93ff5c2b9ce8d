// Lets programs in a sandbox reach the hosts that are named for them, and nothing else: an HTTP
// proxy (CONNECT, and requests in absolute form) that a run finds on its own loopback.
// docs/decisions/0087 says how a connection gets out of a network that has nothing in it.
//
// Every connection is judged as http_fetch judges an address: by the run's list of hosts, then by
// where the name leads, looked up once; the address that was judged is the one connected to. What
// passes a tunnel is not read: whoever may reach a host may say anything to it.
//
// Threads: all calls are thread-safe and none blocks, except the destructor. A thread moves the
// bytes, a few look names up, one name of a run at a time. Leases may outlive the proxy.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "tools/egress/url_guard.hpp"
#include "tools/sandbox/sandbox.hpp"

namespace soma::tools {

struct egress_options {
  std::size_t run_connections_max = 16;        // at once; more wait to be taken
  std::size_t all_connections_max = 256;       // of all runs
  std::size_t head_bytes_max = 16 * 1024;      // of a request
  std::uint64_t run_bytes_max = 256ull << 20;  // both ways; past it the run's connections end
  std::chrono::milliseconds head_time{10'000}, connect_time{10'000}, idle_time{60'000};
  std::string program;  // soma-egress; empty: beside the server
  url_rules rules{};    // but for `hosts`, which each lease names
};

// One run's way out. Destroying it ends its connections.
class egress_lease {
 public:
  virtual ~egress_lease() = default;
  // Makes `command` find the proxy, before it is started; the lease outlives the run.
  virtual void equip(sandbox_command& command) const = 0;
};

class egress_proxy {
 public:
  explicit egress_proxy(egress_options options = {});
  ~egress_proxy();
  egress_proxy(const egress_proxy&) = delete;
  egress_proxy& operator=(const egress_proxy&) = delete;

  // Why there is no way out on this machine; empty where there is one.
  std::string unavailable() const;

  // `hosts`: "example.org" or "*.example.org"; none is an error, not all. Errors: policy.denied,
  // server.busy.
  result<std::unique_ptr<egress_lease>> open(std::vector<std::string> hosts);

 private:
  class service;
  const std::shared_ptr<service> service_;
};

}  // namespace soma::tools
