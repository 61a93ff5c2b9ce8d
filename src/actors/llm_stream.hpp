// One model call: a child of its session that reads the provider, gathers pieces for
// limits.delta_flush_ms, or for as long as the last one is on its way, and hands them on. Reading
// pauses while too much waits for the writer.
// Ending the actor closes the provider's connection at once.
#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actors/interfaces.hpp"
#include "actors/node.hpp"
#include "core/may_block.hpp"

namespace soma::actors {

// What the provider said and the actor has not yet taken: a word that only gathers is no message.
// Filled on the client's io thread, taken by the actor.
class said_pieces {
 public:
  struct piece {
    std::string text;
    bool thinking = false;
  };

  // Whether the actor is to be told now.
  bool add(std::string text, bool thinking);
  // All of it, in order; nothing is told until `tell_from`.
  std::vector<piece> take();
  // The actor is to be told from so many bytes on. False: they are there already.
  bool tell_from(std::size_t bytes);

 private:
  static constexpr std::size_t never = SIZE_MAX;
  quick_mutex mutex_;
  std::vector<piece> pieces_;
  std::size_t bytes_ = 0, tell_from_ = 1;
};

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

  running_effects::token runs;
  const std::shared_ptr<said_pieces> said = std::make_shared<said_pieces>();
  std::string gathered;
  bool gathered_thinking = false;
  std::size_t uncommitted = 0;
  bool reading = true, flush_queued = false;
  clock::time_point asked_at, last_flush;
  clock::duration last_took{};  // from the last flush until it was durable
  std::uint64_t first_token_ms = 0;
};

llm_stream_actor::behavior_type llm_stream(
    llm_stream_actor::stateful_pointer<llm_stream_state> self, node_services* node,
    session_actor session, session_key key, action::start_llm what,
    std::shared_ptr<const model_settings> model);

}  // namespace soma::actors
