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
inline constexpr std::string_view tool_disabled = "tool.disabled";
inline constexpr std::string_view tool_unavailable = "tool.unavailable";
inline constexpr std::string_view tool_schema_invalid = "tool.schema_invalid";
inline constexpr std::string_view tool_entry_invalid = "tool.entry_invalid";
inline constexpr std::string_view tool_entry_changed = "tool.entry_changed";
inline constexpr std::string_view tool_busy = "tool.busy";
inline constexpr std::string_view policy_denied = "policy.denied";
inline constexpr std::string_view llm_interrupted = "llm.interrupted";
inline constexpr std::string_view llm_not_configured = "llm.not_configured";
inline constexpr std::string_view llm_unreachable = "llm.unreachable";
inline constexpr std::string_view llm_timeout_first_token = "llm.timeout_first_token";
inline constexpr std::string_view llm_timeout_idle = "llm.timeout_idle";
inline constexpr std::string_view llm_timeout_total = "llm.timeout_total";
inline constexpr std::string_view llm_circuit_open = "llm.circuit_open";
inline constexpr std::string_view profile_invalid = "profile.invalid";
inline constexpr std::string_view profile_not_found = "profile.not_found";
inline constexpr std::string_view profile_exists = "profile.exists";
inline constexpr std::string_view profile_changed = "profile.changed";
inline constexpr std::string_view profile_disabled = "profile.disabled";
inline constexpr std::string_view credential_not_found = "credential.not_found";
inline constexpr std::string_view model_lock_violation = "model_lock.violation";
inline constexpr std::string_view llm_bad_stream = "llm.bad_stream";
inline constexpr std::string_view llm_auth = "llm.auth";
inline constexpr std::string_view llm_rate_limited = "llm.rate_limited";
inline constexpr std::string_view llm_context_exceeded = "llm.context_exceeded";
inline constexpr std::string_view llm_bad_request = "llm.bad_request";
inline constexpr std::string_view llm_provider_error = "llm.provider_error";
inline constexpr std::string_view request_malformed = "request.malformed";
inline constexpr std::string_view request_ambiguous_framing = "request.ambiguous_framing";
inline constexpr std::string_view request_malformed_json = "request.malformed_json";
inline constexpr std::string_view request_unknown_field = "request.unknown_field";
inline constexpr std::string_view request_invalid_parameter = "request.invalid_parameter";
inline constexpr std::string_view request_method_not_allowed = "request.method_not_allowed";
inline constexpr std::string_view request_timeout = "request.timeout";
inline constexpr std::string_view request_too_large = "request.too_large";
inline constexpr std::string_view request_unsupported_media_type = "request.unsupported_media_type";
inline constexpr std::string_view request_invalid = "request.invalid";
inline constexpr std::string_view request_header_too_large = "request.header_too_large";
inline constexpr std::string_view route_not_found = "route.not_found";
inline constexpr std::string_view auth_required = "auth.required";
inline constexpr std::string_view auth_invalid = "auth.invalid";
inline constexpr std::string_view auth_forbidden = "auth.forbidden";
inline constexpr std::string_view ticket_invalid = "ticket.invalid";
inline constexpr std::string_view origin_refused = "origin.refused";
inline constexpr std::string_view host_refused = "host.refused";
inline constexpr std::string_view key_not_found = "key.not_found";
inline constexpr std::string_view secret_key_missing = "secret.key_missing";
inline constexpr std::string_view secret_key_wrong = "secret.key_wrong";
inline constexpr std::string_view quota_exceeded = "quota.exceeded";
inline constexpr std::string_view server_starting = "server.starting";
inline constexpr std::string_view upload_malformed = "upload.malformed";
inline constexpr std::string_view upload_empty = "upload.empty";
inline constexpr std::string_view upload_too_large = "upload.too_large";
inline constexpr std::string_view upload_too_many = "upload.too_many";
inline constexpr std::string_view upload_type_refused = "upload.type_refused";
inline constexpr std::string_view attachment_not_found = "attachment.not_found";
inline constexpr std::string_view attachment_pending = "attachment.pending";
inline constexpr std::string_view attachment_quarantined = "attachment.quarantined";
inline constexpr std::string_view attachment_expired = "attachment.expired";
inline constexpr std::string_view range_not_satisfiable = "range.not_satisfiable";
inline constexpr std::string_view workdir_not_found = "workdir.not_found";
inline constexpr std::string_view workdir_path_invalid = "workdir.path_invalid";
inline constexpr std::string_view workdir_exists = "workdir.exists";
inline constexpr std::string_view workdir_wrong_kind = "workdir.wrong_kind";
inline constexpr std::string_view workdir_full = "workdir.full";
inline constexpr std::string_view tool_invalid_inputs = "tool.invalid_inputs";
inline constexpr std::string_view tool_failed = "tool.failed";
inline constexpr std::string_view tool_timeout = "tool.timeout";

}  // namespace soma::codes
