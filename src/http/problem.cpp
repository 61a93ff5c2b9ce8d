#include "http/problem.hpp"

#include <algorithm>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "http/reason.hpp"

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
    {codes::request_invalid_parameter, 400},
    {codes::event_id_malformed, 400},
    {codes::auth_required, 401},
    {codes::auth_invalid, 401},
    {codes::ticket_invalid, 401},
    {codes::auth_forbidden, 403},
    {codes::origin_refused, 403},
    {codes::route_not_found, 404},
    {codes::session_not_found, 404},
    {codes::event_not_found, 404},
    {codes::tool_call_not_found, 404},
    {codes::key_not_found, 404},
    {codes::request_method_not_allowed, 405},
    {codes::request_timeout, 408},
    {codes::session_busy, 409},
    {codes::session_paused, 409},
    {codes::session_nothing_to_retry, 409},
    {codes::session_nothing_to_do, 409},
    {codes::session_quarantined, 409},
    {codes::secret_key_missing, 409},
    {codes::request_too_large, 413},
    {codes::event_too_large, 413},
    {codes::request_unsupported_media_type, 415},
    {codes::host_refused, 421},
    {codes::request_invalid, 422},
    {codes::idempotency_mismatch, 422},
    {codes::import_invalid, 422},
    {codes::session_queue_full, 429},
    {codes::quota_exceeded, 429},
    {codes::request_header_too_large, 431},
    {codes::internal, 500},
    {codes::storage_corrupt, 500},
    {codes::server_starting, 503},
    {codes::server_busy, 503},
    {codes::server_shutting_down, 503},
    {codes::storage_unavailable, 503},
    {codes::session_head_mismatch, 503},
    {codes::storage_full, 507},
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
  if (known) json.field_if("parameter", e.parameter);
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
