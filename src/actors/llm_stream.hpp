// One model call: a child of its session that reads the provider, gathers pieces for
// limits.delta_flush_ms and hands them on. Reading pauses while too much waits for the writer.
// Ending the actor closes the provider's connection at once.
#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "actors/interfaces.hpp"
#include "actors/node.hpp"

namespace soma::actors {

struct llm_stream_state {
  static inline const char* name = "llm_stream";
  using clock = std::chrono::steady_clock;
  llm_stream_state() = default;  // not an aggregate: see tool_call.hpp

  node_services* node = nullptr;
  session_actor session;
  session_key key;
  action::start_llm what;
  std::shared_ptr<const model_settings> model;
  std::shared_ptr<const std::vector<tools::offered_tool>> offered;  // once it was asked
  std::unique_ptr<llm::stream_handle> provider;
  std::vector<loaded_picture> pictures;  // that the call may have, until it is made

  std::string gathered;
  bool gathered_thinking = false;
  std::size_t uncommitted = 0;
  bool reading = true, flush_queued = false;
  clock::time_point asked_at, last_flush;
  std::uint64_t first_token_ms = 0;
};

llm_stream_actor::behavior_type llm_stream(
    llm_stream_actor::stateful_pointer<llm_stream_state> self, node_services* node,
    session_actor session, session_key key, action::start_llm what,
    std::shared_ptr<const model_settings> model);

}  // namespace soma::actors
