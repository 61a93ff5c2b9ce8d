#include "http/model_lock.hpp"

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/llm_gateway.hpp"
#include "observability/log.hpp"

namespace soma::http {
namespace {

constexpr std::string_view explanation =
    "models and their addresses are set in profiles; the "
    "request names one that does not count";

}  // namespace

result<bool> judge_lock(gateway& g, const request_context& ctx, std::string_view what) {
  if (what.empty()) return false;
  log_context about;
  about.request_id = ctx.request_id;
  about.tenant_id = ctx.identity.tenant.value;
  about.user_id = ctx.identity.user.value;
  log(log_level::warn, "model_lock.violation", {{"member", what}}, about);
  if (g.llm.lock() == model_lock::off) return false;
  const bool refused = g.llm.lock() == model_lock::enforce;
  std::string line;
  json_writer w(line);
  w.begin_object().field("at", format_rfc3339(now_ms())).field("action", "model_lock.violation");
  w.field("tenant_id", ctx.identity.tenant.value).field("user_id", ctx.identity.user.value);
  w.field("request_id", ctx.request_id).field("member", what);
  w.field_bool("refused", refused).end_object();
  g.llm.audit().write(line);
  if (refused) return error(codes::model_lock_violation, std::string(explanation));
  return true;
}

void warn_if(response& answer, bool warn) {
  if (warn) answer.headers.emplace_back("X-Gateway-Model-Lock-Warning", std::string(explanation));
}

}  // namespace soma::http
