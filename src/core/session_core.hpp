// The life of a session as a pure function: step(state, rules, now, input) decides, changes the
// state through `apply` and says what is to be done. No I/O, no clock, no randomness: ids come from
// the seed given at activation, time with each input. The same fold serves live running and replay.
//
// The shell (actors/session) carries the actions out: `now` at once; `append` as one atom that
// names the head before it; `then` after that append and all earlier ones are durable, in order. A
// step without events has its `then` done after all earlier appends are durable, too. A failed
// append ends the incarnation: the next one folds the log and starts from `activated`.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "core/context.hpp"
#include "core/feedback.hpp"
#include "core/remembered.hpp"
#include "core/session_state.hpp"

namespace soma {

// What limits and drives turns; fixed while a session is active.
struct session_rules {
  std::uint32_t max_attempts = 3;          // of one model message, in a row without getting on
  std::uint32_t max_steps = 16;            // model calls a turn; the last is asked without tools
  std::uint32_t max_tool_calls = 64;       // a turn
  std::uint32_t timeout_s = 600;           // of a turn, downtime not counted
  std::uint32_t queue_max = 32;            // messages waiting
  std::uint32_t requested_tools_max = 16;  // calls that users asked for, open at once
  std::size_t event_text_bytes_max =
      512 * 1024;                        // of one text as JSON: a message, an answer, an output
  std::uint64_t context_window = 32768;  // tokens; a quarter is left for the answer
  std::string system_prompt;
  // The model in use. A change between two attempts means starting over.
  std::string profile = "default", provider, model;
  bool prefill = false;   // the provider continues a given assistant text
  bool pictures = false;  // the model is given attached pictures
  // Memory. `remember`: each message of the user and each final answer is told of as memory.write.
  // `recall`: a turn begins with what is remembered; `strict`: or not at all.
  bool remember = false, recall = false, recall_strict = false;
  std::uint32_t recall_ms = 300;       // for the answer, kept by the shell
  std::uint64_t recall_tokens = 1024;  // of what a turn is told
};

// ---- what comes in ----

namespace input {

struct activated {  // the log is folded; begin or go on
  std::uint32_t epoch = 0;
  std::uint64_t id_seed[2] = {0, 0};
  // The tool_call_ids of the open calls that are idempotent: these are run again.
  std::set<std::string> idempotent{};
};

// What a caller asks for. `token` names the answer; `idempotency_key` goes into the event's meta.
struct request {
  std::uint64_t token = 0;
  origin from;
  std::string idempotency_key;
};
struct open {
  std::string persona_id, title;
};
struct tool_request {  // a tool run by hand
  std::string tool_id, inputs_json;
};
struct message {
  std::string text;
  std::vector<attachment_ref> attachments;
  std::optional<open> create;  // make the session if it is not there
  // Calls to be made before the model is asked, as of document_ingest for small attachments. Each
  // must be idempotent.
  std::vector<tool_request> prepare{};
};
struct app_event {
  std::string name, data_json;
};
struct feedback {  // about an answer that the session still has
  soma::feedback said;
};
struct stop {
  std::string tool_call_id;  // empty: all that runs
};
struct pause {
  bool paused = true;
};
struct nudge {};
struct retry {};
struct summarize {};
struct rename {
  std::string title;
};
struct update {  // several at once, in one event; what is not given stays
  std::optional<std::string> title{};
  sharing_change sharing{};
};
struct reset {};
struct remove {
  bool keep_memories = false;  // of what was said and noted in it
};
using command = std::variant<open, message, app_event, feedback, tool_request, stop, pause, nudge,
                             retry, summarize, rename, update, reset, remove>;
struct commanded {
  request who;
  command what;
};

// What a running model call says. Pieces are whole code points.
struct llm_piece {
  std::string invocation_id, text;
  bool thinking = false;
};
struct llm_done {
  std::string invocation_id, finish_reason;
  std::string last_text;  // a piece not yet given
  bool last_thinking = false;
  std::vector<tool_invocation> tool_calls;
  std::string provider_state_json;
  soma::usage usage;
  std::uint64_t latency_ms = 0, first_token_ms = 0;
};
struct llm_failed {
  std::string invocation_id;
  failure what;
  std::string last_text;
  bool last_thinking = false;
  bool prefix_refused = false;
  std::uint64_t context_window = 0;  // tokens, where the provider named it
  std::uint32_t retry_after_ms = 0;
  std::uint64_t latency_ms = 0, first_token_ms = 0;
};

struct tool_output {
  std::string tool_call_id, stream, text;
};
struct tool_done {
  std::string tool_call_id, status, output_json;
  std::optional<failure> error;
  std::uint64_t duration_ms = 0;
};

struct recalled {  // the answer to action::recall
  std::string turn_id;
  std::vector<remembered_item> items{};  // the likeliest first
  bool degraded = false;                 // failed, late or in part: `why`
  bool by_words_alone = false;           // degraded in no more than that: no turn is refused for it
  std::string why{};
  std::int64_t as_of = 0;
};

struct deadline {  // arm_deadline's time has come
  std::string turn_id;
};

}  // namespace input

using session_input = std::variant<input::activated, input::commanded, input::llm_piece,
                                   input::llm_done, input::llm_failed, input::tool_output,
                                   input::tool_done, input::deadline, input::recalled>;

// ---- what is to be done ----

// The answer to a command: enough for every route to build its response, also on a replay.
struct command_reply {
  event_id event;          // the event that made it true; 0.0 where none was needed
  std::string session_id;  // which may have been made for it
  std::string message_id;
  std::string tool_call_id{};
  std::string title, persona_id;
  std::int64_t created_at_ms = 0;
  std::string status;  // queued, running, stopped, idle, paused, resumed, …
  bool paused = false;
};

namespace action {

struct reply {
  std::uint64_t token = 0;
  result<command_reply> what;
};
struct start_llm {
  std::string invocation_id, message_id, turn_id;
  model_context context;
  std::string prefix;
  bool with_tools = true;
  std::uint32_t delay_ms = 0;
  origin from;
};
struct cancel_llm {
  std::string invocation_id;
};
struct start_tool {
  body::tool_call call;
  origin from;
};
struct cancel_tool {
  std::string tool_call_id;
};
// Looks through what is remembered; answered once by input::recalled, in rules.recall_ms at most.
struct recall {
  std::string turn_id, query;
  std::vector<std::string> held_message_ids;  // are in the model's context anyway
  std::size_t items_max = 0, bytes_max = 0;
  origin from;
};
struct arm_deadline {
  std::string turn_id;
  std::uint32_t after_s = 0;
};

}  // namespace action

using session_action =
    std::variant<action::reply, action::start_llm, action::cancel_llm, action::start_tool,
                 action::cancel_tool, action::arm_deadline, action::recall>;

struct session_actions {
  std::vector<session_action> now;
  std::vector<event> append;  // dense, from the state's head before the step
  std::vector<session_action> then;
  std::optional<std::uint64_t> first_seq;  // a reset: drop what is below
  bool remove = false;                     // a deletion: after the append nothing is kept
  bool keep_memories = false;              // but what is remembered of it
};

session_actions step(session_state& state, const session_rules& rules, std::int64_t now_ms,
                     const session_input& in);

// What the model would be sent if it were asked now.
model_context current_context(const session_state& state, const session_rules& rules,
                              std::string_view instruction = {});

}  // namespace soma
