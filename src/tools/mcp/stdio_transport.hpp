// A server that is a program of this machine, in the sandbox: without a network, seeing what its
// folders show it, for as long as its connection lasts.
#pragma once

#include <memory>

#include "tools/mcp/loop.hpp"
#include "tools/mcp/server_settings.hpp"
#include "tools/mcp/transport.hpp"
#include "tools/sandbox/sandbox.hpp"

namespace soma::tools::mcp {

// The sandbox and the loop outlive it. The process ignores SIGPIPE: a server may be gone while it
// is written to.
std::unique_ptr<transport> make_stdio_transport(const command_settings& what, sandbox& box,
                                                loop& on);

}  // namespace soma::tools::mcp
