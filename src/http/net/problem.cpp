#include "http/net/problem.hpp"

#include <algorithm>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "http/net/reason.hpp"
#include "observability/log.hpp"

namespace soma::http {
namespace {

struct row {
  std::string_view code;
  int status;
};

constexpr row table[] = {
    {codes::request_malformed, 400},
    {codes::request_ambiguous_framing, 400},
    {codes::request_malformed_json, 400},
    {codes::request_unknown_field, 400},
    {codes::request_unsupported, 400},
    {codes::request_invalid_parameter, 400},
    {codes::event_id_malformed, 400},
    {codes::model_lock_violation, 400},
    {codes::auth_required, 401},
    {codes::auth_invalid, 401},
    {codes::ticket_invalid, 401},
    {codes::auth_forbidden, 403},
    {codes::origin_refused, 403},
    {codes::policy_denied, 403},
    {codes::attachment_quarantined, 403},
    {codes::route_not_found, 404},
    {codes::session_not_found, 404},
    {codes::event_not_found, 404},
    {codes::message_not_found, 404},
    {codes::event_name_reserved, 422},
    {codes::tool_call_not_found, 404},
    {codes::tool_unknown, 404},
    {codes::key_not_found, 404},
    {codes::user_not_found, 404},
    {codes::sign_in_not_found, 404},
    {codes::profile_not_found, 404},
    {codes::mcp_server_not_found, 404},
    {codes::credential_not_found, 404},
    {codes::attachment_not_found, 404},
    {codes::workdir_not_found, 404},
    {codes::request_method_not_allowed, 405},
    {codes::request_timeout, 408},
    {codes::request_tls_required, 400},
    {codes::session_busy, 409},
    {codes::session_paused, 409},
    {codes::session_nothing_to_retry, 409},
    {codes::session_nothing_to_do, 409},
    {codes::session_quarantined, 409},
    {codes::secret_key_missing, 409},
    {codes::secret_key_wrong, 409},
    {codes::profile_exists, 409},
    {codes::mcp_server_exists, 409},
    {codes::profile_disabled, 409},
    {codes::tool_disabled, 409},
    {codes::tool_unavailable, 409},
    {codes::llm_not_configured, 409},
    {codes::attachment_pending, 409},
    {codes::idempotency_exists, 409},
    {codes::workdir_exists, 409},
    {codes::workdir_wrong_kind, 409},
    {codes::attachment_expired, 410},
    {codes::tenant_erased, 410},
    {codes::profile_changed, 412},
    {codes::memory_changed, 412},
    {codes::backup_not_found, 404},
    {codes::backup_not_set_up, 409},
    {codes::backup_stopped, 503},
    {codes::backup_under_way, 409},
    {codes::dlq_not_found, 404},
    {codes::audit_not_found, 404},
    {codes::memory_not_found, 404},
    {codes::mcp_server_changed, 412},
    {codes::tool_entry_changed, 412},
    {codes::request_too_large, 413},
    {codes::event_too_large, 413},
    {codes::upload_too_large, 413},
    {codes::upload_too_many, 413},
    {codes::workdir_full, 413},
    {codes::request_unsupported_media_type, 415},
    {codes::upload_type_refused, 415},
    {codes::range_not_satisfiable, 416},
    {codes::host_refused, 421},
    {codes::request_invalid, 422},
    {codes::upload_malformed, 422},
    {codes::upload_empty, 422},
    {codes::workdir_path_invalid, 422},
    {codes::idempotency_mismatch, 422},
    {codes::import_invalid, 422},
    {codes::profile_invalid, 422},
    {codes::mcp_server_invalid, 422},
    {codes::tool_entry_invalid, 422},
    {codes::tool_invalid_inputs, 422},
    {codes::llm_context_exceeded, 422},
    {codes::llm_bad_request, 422},
    {codes::session_queue_full, 429},
    {codes::dependency_unavailable, 503},
    {codes::quota_exceeded, 429},
    {codes::llm_rate_limited, 429},
    {codes::request_header_too_large, 431},
    {codes::internal, 500},
    {codes::storage_corrupt, 500},
    {codes::llm_unreachable, 502},
    {codes::llm_provider_error, 502},
    {codes::llm_bad_stream, 502},
    {codes::llm_auth, 502},
    {codes::server_starting, 503},
    {codes::server_busy, 503},
    {codes::server_shutting_down, 503},
    {codes::storage_unavailable, 503},
    {codes::session_head_mismatch, 503},
    {codes::cluster_not_owner, 503},
    {codes::cluster_owner_lost, 503},
    {codes::cluster_timeout, 503},
    {codes::cluster_no_owner, 503},
    {codes::cluster_behind, 503},
    {codes::cluster_absent, 409},
    {codes::cluster_node_unknown, 404},
    {codes::llm_circuit_open, 503},
    {codes::llm_timeout_first_token, 504},
    {codes::llm_timeout_idle, 504},
    {codes::llm_timeout_total, 504},
    {codes::storage_full, 507},
    {codes::quota_storage, 507},
};

const row* find(std::string_view code) {
  const auto at = std::find_if(std::begin(table), std::end(table),
                               [&](const row& r) { return r.code == code; });
  return at == std::end(table) ? nullptr : at;
}

}  // namespace

int status_of(std::string_view code) {
  const row* known = find(code);
  return known ? known->status : 500;
}

std::string_view known_code(std::string_view code) {
  const row* known = find(code);
  return known ? known->code : codes::internal;
}

namespace {

// Where OpenAI's clients expect another status or another word. They try 408, 409, 429 and 5xx
// again, which is in vain where an operator has to set something right first.
struct openai_row {
  std::string_view code;
  int status;
  std::string_view said;  // empty: the code itself
};

constexpr openai_row openai_table[] = {
    {codes::request_invalid, 400, "invalid_value"},
    {codes::request_unsupported, 400, "unsupported_parameter"},
    {codes::llm_bad_request, 400, {}},
    {codes::llm_context_exceeded, 400, "context_length_exceeded"},
    {codes::auth_required, 401, "invalid_api_key"},
    {codes::auth_invalid, 401, "invalid_api_key"},
    {codes::llm_auth, 403, {}},
    {codes::secret_key_missing, 403, {}},
    {codes::secret_key_wrong, 403, {}},
    {codes::route_not_found, 404, "unknown_url"},
    {codes::profile_not_found, 404, "model_not_found"},
    {codes::profile_disabled, 404, "model_not_found"},
    {codes::llm_not_configured, 404, "model_not_found"},
    {codes::llm_rate_limited, 429, "rate_limit_exceeded"},
};

std::string_view openai_type(int status) {
  if (status == 401) return "authentication_error";
  if (status == 403) return "permission_error";
  if (status == 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "api_error";
}

const openai_row* find_openai(std::string_view code) {
  const auto at = std::find_if(std::begin(openai_table), std::end(openai_table),
                               [&](const openai_row& r) { return r.code == code; });
  return at == std::end(openai_table) ? nullptr : at;
}

}  // namespace

int openai_status_of(std::string_view code) {
  const auto* other = find_openai(code);
  return other ? other->status : status_of(code);
}

std::string_view openai_code_of(std::string_view code) {
  const auto* other = find_openai(code);
  return other && !other->said.empty() ? other->said : known_code(code);
}

std::string openai_error_json(const error& e) {
  const bool known = find(e.code) != nullptr;
  std::string out;
  json_writer w(out);
  w.begin_object().key("error").begin_object();
  w.field("message", known ? std::string_view(e.detail) : "The server failed");
  w.field("type", openai_type(openai_status_of(e.code))).key("param");
  if (known && !e.parameter.empty())
    w.string(e.parameter);
  else
    w.null();
  w.field("code", openai_code_of(e.code)).end_object().end_object();
  return out;
}

bool is_openai_path(std::string_view path) {
  constexpr std::string_view prefixes[] = {
      "/v1/chat",          "/v1/completions", "/v1/responses",   "/v1/embeddings",
      "/v1/models",        "/v1/moderations", "/v1/images",      "/v1/audio",
      "/v1/files",         "/v1/batches",     "/v1/fine_tuning", "/v1/assistants",
      "/v1/threads",       "/v1/videos",      "/v1/engines",     "/v1/realtime",
      "/v1/vector_stores", "/v1/evals",       "/v1/containers",  "/v1/conversations"};
  return std::any_of(std::begin(prefixes), std::end(prefixes), [&](std::string_view prefix) {
    return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
  });
}

response problem(const error& e, const request_context& ctx,
                 const std::vector<problem_member>& members) {
  if (e.code == codes::storage_corrupt)
    log(log_level::error, "request.storage_corrupt", {{"detail", e.detail}},
        {ctx.request_id, {}, ctx.path_parameter("id"), ctx.caller.tenant.value, {}});
  auto answer = problem(e, ctx.request_id, members);
  if (!ctx.openai_errors) return answer;
  answer.status = openai_status_of(e.code);
  answer.content_type = "application/json";
  answer.body = openai_error_json(e);
  return answer;
}

response problem(const error& e, std::string_view request_id,
                 const std::vector<problem_member>& members) {
  const row* known = find(e.code);
  const auto code = known ? e.code : codes::internal;
  response answer(known ? known->status : 500);
  answer.content_type = "application/problem+json";

  json_writer json(answer.body);
  json.begin_object()
      .field("type", "about:blank")
      .field("title", reason(answer.status))
      .field("status", static_cast<std::uint64_t>(answer.status))
      .field("detail", known ? std::string_view(e.detail)
                             : std::string_view("The server failed; its log has the request_id"))
      .field("code", code)
      .field("request_id", request_id);
  if (known)
    json.field_if(e.code == codes::dependency_unavailable ? "component" : "parameter", e.parameter)
        .field_if("rule", e.rule);
  for (const auto& member : members) json.key(member.name).raw(member.json);
  json.end_object();

  if (answer.status == 429 || answer.status == 503) {
    const auto seconds = std::to_string(std::max(1, e.retry_after_s));
    answer.headers.emplace_back("Retry-After", seconds);
    if (answer.status == 429)
      answer.headers.emplace_back("RateLimit", "\"default\";r=0;t=" + seconds);
  } else if (answer.status == 401) {
    answer.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"soma\"");
  }
  return answer;
}

}  // namespace soma::http
