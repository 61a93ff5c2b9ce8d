// One tool call: a child of its session that runs the tool through the port and reports its output
// and its end. Ending the actor cancels the call.
#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <memory>

#include "actors/interfaces.hpp"
#include "actors/node.hpp"

namespace soma::actors {

struct tool_call_state {
  static inline const char* name = "tool_call";
  // Not an aggregate, or CAF takes the first member for something made from the actor.
  tool_call_state() = default;
  session_actor session;
  body::tool_call call;
  std::unique_ptr<tools::running_tool> running;
  std::chrono::steady_clock::time_point begun;
  running_effects::token runs;
};

tool_call_actor::behavior_type tool_call(tool_call_actor::stateful_pointer<tool_call_state> self,
                                         node_services* node, session_actor session,
                                         tools::tool_caller who, body::tool_call call);

}  // namespace soma::actors
