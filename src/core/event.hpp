// The event: one envelope in the log, on SSE and in an export. schemas/event.schema.json is its
// machine-readable form, docs/event-log.md its prose.
//
// Bodies are plain values. Members called *_json hold JSON text of any shape that is passed on as
// it came. Times are milliseconds since 1970 UTC. Thread-safe as values; encode and decode are
// pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/sharing.hpp"

namespace soma {

// Stored in the log as one byte: numbers are never reused.
enum class event_type : std::uint8_t {
  session_open = 1,
  message_user,
  memory_recall,
  llm_request,
  llm_delta,
  llm_complete,
  llm_restart,
  message_assistant,
  tool_call,
  tool_progress,
  tool_result,
  memory_write,
  session_state,
  app_event,
  error,
  session_close,
};
inline constexpr std::uint8_t event_type_max = 16;

std::string_view to_string(event_type type);
std::optional<event_type> parse_event_type(std::string_view name);

struct usage {
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  std::uint64_t cached_tokens = 0;     // of the prompt's
  std::uint64_t reasoning_tokens = 0;  // of the completion's
  std::optional<double> cost_usd{};    // where the profile has prices
  bool operator==(const usage&) const = default;
};

struct failure {  // an error inside an event
  std::string code;
  std::string detail;
  bool retryable = false;
  bool operator==(const failure&) const = default;
};

struct tool_invocation {  // a call as the model asked for it
  std::string tool_call_id;
  std::string provider_call_id;
  std::string tool_id;
  std::string inputs_json;
  bool operator==(const tool_invocation&) const = default;
};

// A file that a message names. Members beside the id are what it was called when it was named;
// events of older versions have the id alone.
struct attachment_ref {
  std::string id;
  std::string filename{}, content_type{};
  std::uint64_t size_bytes = 0;
  bool operator==(const attachment_ref&) const = default;
};

namespace body {

struct session_open {
  std::string persona_id, title;
  std::string forked_from_session, forked_from_event;  // empty unless a fork
};
struct message_user {
  std::string message_id, turn_id, text;
  std::vector<attachment_ref> attachments;
};
struct memory_recall {
  std::string turn_id, query, items_json;
  bool degraded = false;  // not all that is remembered was looked through: `reason`
  std::string reason{};
  std::int64_t as_of = 0;  // what the answer knew: the same question at it gets the same answer
};
struct llm_request {
  std::string invocation_id, message_id, turn_id;
  std::string profile, model, provider, persona_version;
  std::uint32_t attempt = 1;      // 1-based, of this message_id
  std::uint32_t step = 1;         // 1-based model call of the turn
  std::string context_from_turn;  // oldest turn sent; empty: none
  std::uint64_t context_turns = 0;
  std::uint64_t prompt_tokens_estimate = 0;
  std::string instruction;  // "", "nudge" or "summarize"
  std::string supersedes;   // message_id of the turn's answer that a retry replaces
  std::optional<std::uint64_t> resume_offset;  // prefill: bytes of the text given as prefix
};
struct llm_delta {  // offsets of text and of thinking are counted apart
  std::string message_id, turn_id;
  std::uint64_t offset = 0;
  std::string text;
  bool thinking = false;
};
struct llm_complete {
  std::string invocation_id, message_id, turn_id;
  std::string finish_reason;  // stop, length, tool_calls, cancelled, error, interrupted
  soma::usage usage;
  std::uint64_t latency_ms = 0, first_token_ms = 0;
  std::optional<failure> error;
  std::uint64_t thinking_bytes = 0;  // in the deltas of this attempt, which a compact reading lacks
};
struct llm_restart {
  std::string message_id, turn_id;
  std::uint32_t attempt = 1;
  std::string reason;
};
struct message_assistant {
  std::string message_id, turn_id, text;
  std::vector<tool_invocation> tool_calls;
  std::string provider_state_json;
  bool final = false;
};
struct tool_call {
  std::string tool_call_id, message_id, turn_id, provider_call_id, tool_id, inputs_json;
  std::string requested_by;  // model, user, runtime
};
struct tool_progress {
  std::string tool_call_id, turn_id, stream, text;
};
struct tool_result {
  std::string tool_call_id, turn_id;
  std::string status;  // success, error, denied, timeout, cancelled, interrupted
  std::string output_json;
  std::optional<failure> error;
  std::uint64_t duration_ms = 0;
};
struct memory_write {
  std::string memory_id, message_id, tool_call_id, turn_id, state;
};
struct session_state {
  bool paused = false;
  std::string title;
  std::optional<soma::sharing> shared{};  // as it is from here on; none: as it was
};
struct app_event {
  std::string name, data_json;
};
struct error {
  failure what;
  std::string request_id, turn_id;
};
struct session_close {
  std::string reason;  // deleted, reset
};

}  // namespace body

// In the order of event_type.
using event_body =
    std::variant<body::session_open, body::message_user, body::memory_recall, body::llm_request,
                 body::llm_delta, body::llm_complete, body::llm_restart, body::message_assistant,
                 body::tool_call, body::tool_progress, body::tool_result, body::memory_write,
                 body::session_state, body::app_event, body::error, body::session_close>;

struct event_meta {
  event_id id;
  session_key key;
  std::string user_id, request_id, trace_id, idempotency_key;
  std::int64_t created_at_ms = 0;
  // What the user was at the door, see `origin`; of message.user and tool.call alone.
  std::string actor_json{};
};

struct event {
  event_meta meta;
  event_body body;
  event_type type() const { return static_cast<event_type>(body.index() + 1); }
};

// The envelope as one line of JSON, without a line end.
std::string encode(const event& e);

// Reads what `encode` wrote, of this or an older version; unknown members are ignored. Fails with
// storage.corrupt when the text is not an envelope.
result<event> decode(std::string_view json);

}  // namespace soma
