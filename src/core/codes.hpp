// The stable error codes of the public contract; schemas/codes.md says what each means and its
// HTTP status. Codes are never renamed or reused.
#pragma once

#include <string_view>

namespace soma::codes {

inline constexpr std::string_view session_not_found = "session.not_found";
inline constexpr std::string_view session_quarantined = "session.quarantined";
inline constexpr std::string_view session_busy = "session.busy";
inline constexpr std::string_view session_paused = "session.paused";
inline constexpr std::string_view session_queue_full = "session.queue_full";
inline constexpr std::string_view session_nothing_to_do = "session.nothing_to_do";
inline constexpr std::string_view session_nothing_to_retry = "session.nothing_to_retry";
inline constexpr std::string_view session_head_mismatch = "session.head_mismatch";
inline constexpr std::string_view tool_call_not_found = "tool_call.not_found";
inline constexpr std::string_view event_not_found = "event.not_found";
inline constexpr std::string_view event_id_malformed = "event_id.malformed";
inline constexpr std::string_view event_too_large = "event.too_large";
inline constexpr std::string_view storage_full = "storage.full";
inline constexpr std::string_view storage_unavailable = "storage.unavailable";
inline constexpr std::string_view storage_corrupt = "storage.corrupt";
inline constexpr std::string_view storage_locked = "storage.locked";
inline constexpr std::string_view storage_format = "storage.format";
inline constexpr std::string_view server_busy = "server.busy";
inline constexpr std::string_view server_shutting_down = "server.shutting_down";
inline constexpr std::string_view internal = "server.internal";
inline constexpr std::string_view import_invalid = "import.invalid";
inline constexpr std::string_view idempotency_mismatch = "idempotency.mismatch";
inline constexpr std::string_view config_invalid = "config.invalid";
inline constexpr std::string_view turn_timeout = "turn.timeout";
inline constexpr std::string_view turn_limit = "turn.limit";
inline constexpr std::string_view tool_unknown = "tool.unknown";
inline constexpr std::string_view tool_output_too_large = "tool.output_too_large";
inline constexpr std::string_view tool_cancelled = "tool.cancelled";
inline constexpr std::string_view tool_interrupted = "tool.interrupted";
inline constexpr std::string_view llm_interrupted = "llm.interrupted";
inline constexpr std::string_view llm_not_configured = "llm.not_configured";
inline constexpr std::string_view llm_unreachable = "llm.unreachable";
inline constexpr std::string_view llm_timeout_first_token = "llm.timeout_first_token";
inline constexpr std::string_view llm_timeout_idle = "llm.timeout_idle";
inline constexpr std::string_view llm_bad_stream = "llm.bad_stream";
inline constexpr std::string_view llm_auth = "llm.auth";
inline constexpr std::string_view llm_rate_limited = "llm.rate_limited";
inline constexpr std::string_view llm_context_exceeded = "llm.context_exceeded";
inline constexpr std::string_view llm_bad_request = "llm.bad_request";
inline constexpr std::string_view llm_provider_error = "llm.provider_error";

}  // namespace soma::codes
