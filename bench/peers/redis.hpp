// redis-server from Debian with `appendfsync always`: the peer for durable appends. RESP2 by hand,
// the two answers XADD can have.
#pragma once

#include <cstdint>
#include <string>

#include "http_text.hpp"
#include "process.hpp"

namespace soma::bench {

class redis_server {
 public:
  explicit redis_server(const std::filesystem::path& folder);

  static bool installed();
  std::uint16_t port() const { return port_; }
  child_process& process() { return process_; }

  std::string xadd_request(const std::string& stream, const std::string& data) const;

 private:
  std::uint16_t port_;
  child_process process_;
};

// Simple strings, errors, integers and bulk strings; anything else is malformed.
reply parse_resp_reply(std::string_view text);

}  // namespace soma::bench
