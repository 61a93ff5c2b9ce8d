// One tool, as the runner meets it: the work alone. What may be called, with what inputs, by whom,
// how often at once and for how long is judged before (catalog, policy, runner).
//
// Threads: `start` is called from any thread, must not block and must not throw; its sink is called
// from any thread, `on_done` exactly once unless the handle was destroyed before. Destroying the
// handle cancels: processes of the call are killed, and nothing is called afterwards.
// Lifetime: a tool outlives its calls.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/event.hpp"
#include "tools/tool_runner.hpp"

namespace soma::tools {

// What one call may use up. Of the catalog; a tenant's admin may change it within the tool's
// bounds.
struct execution_profile {
  std::uint32_t timeout_ms = 30'000;  // of the whole call, by the clock on the wall
  std::uint32_t cpu_s = 20;           // of its processes together
  std::uint64_t memory_bytes = 512ull << 20;
  std::uint32_t processes = 64;
  std::uint32_t open_files = 256;
  std::uint64_t disk_bytes = 64ull << 20;    // of its temporary folder
  std::uint64_t output_bytes = 64ull << 10;  // given to the model; the whole is kept beside it
  std::uint32_t concurrency = 8;             // calls at once, a tenant
  bool work_folder = false;                  // the session's work folder may be written
};

struct tool_request {
  session_key session;
  body::tool_call call;
  boost::json::object inputs;  // as the tool's schema wants them
  execution_profile limits;
  std::vector<std::string> egress;  // host names that may be reached; empty: none
  std::string user_id{};            // on whose behalf
};

class tool {
 public:
  virtual ~tool() = default;
  // Why it cannot run on this machine, for a person; empty where it can.
  virtual std::string unavailable() const { return {}; }
  // Whether what it is given leaves this machine, also where no host is named for it.
  virtual bool reaches_out() const { return false; }
  // Whether running this call twice does no harm.
  virtual bool idempotent(const boost::json::object& inputs) const = 0;
  virtual std::unique_ptr<running_tool> start(tool_request request, tool_sink sink) = 0;
};

}  // namespace soma::tools
