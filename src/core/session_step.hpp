// The parts of one step, shared by session_core.cpp (what comes in) and session_turn.cpp (the life
// of a turn). Private to core.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/session_core.hpp"

namespace soma {

// What a log takes as one event (storage/event_log.hpp), less the members around texts.
inline constexpr std::size_t event_room_bytes = 900 * 1024 - 8 * 1024;

struct session_step {
  session_state& s;
  const session_rules& rules;
  std::int64_t now_ms;
  session_actions out;

  // ---- session_core.cpp ----
  event_id emit(event_body body, const origin& from, std::string_view idempotency_key = {});
  void on(const input::activated& in);
  void on(const input::commanded& in);
  void on(const input::llm_piece& in);
  void on(const input::llm_done& in);
  void on(const input::llm_failed& in);
  void on(const input::tool_output& in);
  void on(const input::tool_done& in);
  void on(const input::deadline& in);
  void on(const input::recalled& in);

  result<command_reply> decide(const input::request& who, const input::open& c);
  result<command_reply> decide(const input::request& who, const input::message& c);
  result<command_reply> decide(const input::request& who, const input::app_event& c);
  result<command_reply> decide(const input::request& who, const input::feedback& c);
  result<command_reply> decide(const input::request& who, const input::tool_request& c);
  result<command_reply> decide(const input::request& who, const input::stop& c);
  result<command_reply> decide(const input::request& who, const input::pause& c);
  result<command_reply> decide(const input::request& who, const input::nudge& c);
  result<command_reply> decide(const input::request& who, const input::retry& c);
  result<command_reply> decide(const input::request& who, const input::summarize& c);
  result<command_reply> decide(const input::request& who, const input::rename& c);
  result<command_reply> decide(const input::request& who, const input::update& c);
  result<command_reply> decide(const input::request& who, const input::reset& c);
  result<command_reply> decide(const input::request& who, const input::remove& c);

  // ---- session_turn.cpp ----
  struct question {
    std::string turn_id, instruction, supersedes;
    std::uint32_t step = 1;
    std::uint32_t delay_ms = 0;
    std::optional<failure> last_failure;  // of the attempt before
  };
  // Takes up whatever is due, if nothing runs.
  void advance(std::uint32_t delay_ms = 0, const std::optional<failure>& last_failure = {});
  // Begins a turn: asks the model, or first what is remembered. False: that, so there is no event
  // yet.
  bool begin(const question& q);
  void ask(const question& q);
  void ask_again(const question& q);  // the unanswered message, next attempt
  // False: the answer is as long as it may be, and what is past that was left out.
  bool add_piece(std::string_view text, bool thinking);
  void finish_call(const input::llm_done& in);
  bool can_be_smaller();
  // Ends the running turn for good: what runs is cancelled, the text so far is kept.
  void end_turn(std::string_view finish_reason, const std::optional<failure>& why,
                bool cancel_running = true);
  void end_tool(const open_tool& tool, std::string_view status);
  void append_answer(std::string_view text, std::vector<tool_invocation> calls,
                     std::string provider_state_json, bool final);
  void append_complete(std::string_view finish_reason, const std::optional<failure>& why,
                       const soma::usage& used = {}, std::uint64_t latency_ms = 0,
                       std::uint64_t first_token_ms = 0);
  void append_state(bool paused, std::string title, const origin& from);
  bool has_tools(std::string_view turn_id) const;
  bool turn_has_tools() const;
  event_id call_tool(body::tool_call call, const origin& from, std::string_view key = {});
  origin turn_origin(std::string_view turn_id) const;
  void arm_turn_deadline();
  // Started turns, and the one that waits if it is `turn_id`.
  std::vector<const turn_record*> turns_with(std::string_view turn_id) const;

  // ---- session_recall.cpp ----
  bool wants_recall(const question& q) const;
  void ask_memory();
  void remember(std::string message_id, std::string turn_id, std::string_view text,
                const origin& from);
  bool recalls_waiting_turn() const;
};

// A quarter of the window is left for the answer.
context_options context_rules(const session_state& state, const session_rules& rules,
                              std::string_view instruction);
// What the model is sent of these turns, the newest with what was recalled for it.
model_context context_of(const session_state& state, const session_rules& rules,
                         std::string_view instruction,
                         const std::vector<const turn_record*>& turns);

}  // namespace soma
