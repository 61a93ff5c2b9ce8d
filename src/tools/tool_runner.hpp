// The port through which a tool_call actor runs a tool. The tools themselves, their catalog and
// their sandbox stand behind it.
//
// Threads: everything may be called from any thread and does not block; `on_done` is called exactly
// once, from any thread, unless the handle was destroyed before (that cancels the call).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.hpp"

namespace soma::tools {

struct tool_outcome {
  std::string status;  // success, error, denied, timeout
  std::string output_json;
  std::optional<failure> error;
};

struct tool_sink {
  std::function<void(std::string stream, std::string text)> on_output;
  std::function<void(tool_outcome)> on_done;
};

class running_tool {
 public:
  virtual ~running_tool() = default;  // cancels
};

// Who a call is made for.
struct tool_caller {
  session_key session;
  std::string user_id;
  std::string actor_json{};              // as in soma::origin
  std::string request_id{}, trace_id{};  // of the request that the turn came of
};

// A tool as a model is told of it.
struct offered_tool {
  std::string tool_id, description, inputs_schema_json;
};

class tool_runner {
 public:
  virtual ~tool_runner() = default;
  virtual std::unique_ptr<running_tool> start(const tool_caller& who, const body::tool_call& call,
                                              tool_sink sink) = 0;
  // What the models of a tenant's sessions are offered.
  virtual std::shared_ptr<const std::vector<offered_tool>> offered(const tenant_id& tenant) = 0;
  // Whether running this call a second time does no harm.
  virtual bool idempotent(std::string_view tool_id, std::string_view inputs_json) const = 0;
};

}  // namespace soma::tools
