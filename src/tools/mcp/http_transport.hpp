// A server behind an address: "streamable HTTP", each message a request of its own, answered by a
// document or an event stream. Redirects are not followed, and where addresses of this machine or
// of private networks are not allowed the connection itself is judged.
#pragma once

#include <memory>

#include "tools/mcp/loop.hpp"
#include "tools/mcp/server_settings.hpp"
#include "tools/mcp/transport.hpp"

namespace soma::tools::mcp {

// The loop outlives it.
std::unique_ptr<transport> make_http_transport(const http_settings& what, loop& on);

}  // namespace soma::tools::mcp
