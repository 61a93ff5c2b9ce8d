#include "http/tool_gateway.hpp"

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/problem.hpp"

namespace soma::http {
namespace {

void write_audit(const tool_gateway& tools, const request_context& ctx, std::string_view action,
                 std::string_view resource, std::string_view rule) {
  std::string line;
  json_writer w(line);
  w.begin_object().field("at", format_rfc3339(now_ms())).field("action", action);
  w.field("outcome", "denied").field("rule", rule).field_if("resource", resource);
  w.field("tenant_id", ctx.identity.tenant.value).field("user_id", ctx.identity.user.value);
  w.field("request_id", ctx.request_id).end_object();
  tools.audit.write(line);
}

}  // namespace

security::decision judge(const tool_gateway& tools, const identity& who, std::string_view action,
                         std::string_view resource) {
  const auto* name = who.role == role::internal ? "internal"
                     : who.role == role::admin  ? "admin"
                                                : "user";
  return tools.policy.decide({who.tenant.value, who.user.value, name, action, resource});
}

std::optional<response> denied(const tool_gateway& tools, const request_context& ctx,
                               std::string_view action, std::string_view resource) {
  const auto said = judge(tools, ctx.identity, action, resource);
  if (said.allow) return std::nullopt;
  write_audit(tools, ctx, action, resource, said.rule);
  std::string quoted;
  json_writer(quoted).string(said.rule);
  return problem(error(codes::policy_denied, said.reason), ctx, {{"rule", quoted}});
}

}  // namespace soma::http
