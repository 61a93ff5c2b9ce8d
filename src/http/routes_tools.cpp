// The tool catalog, and running a tool by hand.
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_member.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/etag.hpp"
#include "http/gateway.hpp"
#include "http/on_reader.hpp"
#include "http/problem.hpp"
#include "http/tenant_stream.hpp"
#include "http/tool_gateway.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

void write_offer(json_writer& w, const tools::catalog_entry& entry) {
  w.begin_object().field("id", entry.tool_id).field("title", entry.title);
  w.field("description", entry.description).field("executor", entry.executor);
  w.key("inputs").raw(entry.inputs_schema_json).key("outputs").raw(entry.outputs_schema_json);
  w.end_object();
}

// With why it cannot run on this machine, where it cannot.
std::string entry_json(const gateway& g, const request_context& ctx,
                       const tools::catalog_entry& entry) {
  auto text = tools::to_json(entry);
  const auto why = g.tools.runner.unavailable(ctx.identity.tenant, entry.tool_id);
  if (why.empty()) return text;
  text.back() = ',';
  std::string quoted;
  json_writer(quoted).string(why);
  return text + "\"unavailable\":" + quoted + "}";
}

response with_etag(const gateway& g, std::string body, std::string_view etag,
                   request_context& ctx) {
  const bool same = any_etag_matches(ctx.header("if-none-match"), etag);
  response answer = same ? response(304) : response(200, std::move(body));
  answer.headers.emplace_back("ETag", std::string(etag));
  answer.cache_control = {};
  answer.headers.emplace_back(
      "Cache-Control",
      "private, max-age=" + std::to_string(g.settings.number("tools.catalog_ttl_s")));
  return answer;
}

asio::awaitable<response> list_tools(gateway& g, request_context& ctx) {
  const auto set = g.tools.catalog.of(ctx.identity.tenant);
  std::string body, etag_parts = set->etag;
  json_writer w(body);
  w.begin_object().key("tools").begin_array();
  for (const auto& [id, entry] : set->entries) {
    if (!entry.enabled || !g.tools.runner.unavailable(ctx.identity.tenant, id).empty()) continue;
    const auto said = g.tools.policy.decide({ctx.identity.tenant.value, ctx.identity.user.value,
                                             ctx.identity.role == role::admin ? "admin" : "user",
                                             "tool.execute", id});
    if (!said.allow) continue;
    etag_parts += id;
    write_offer(w, entry);
  }
  w.end_array().end_object();
  const auto etag = '"' + derived_uuid({"tools", etag_parts}) + '"';
  co_return with_etag(g, std::move(body), etag, ctx);
}

asio::awaitable<response> get_catalog(gateway& g, request_context& ctx) {
  const auto set = g.tools.catalog.of(ctx.identity.tenant);
  std::string body;
  json_writer w(body);
  w.begin_object().key("tools").begin_array();
  for (const auto& [id, entry] : set->entries) w.raw(entry_json(g, ctx, entry));
  w.end_array().end_object();
  co_return with_etag(g, std::move(body), set->etag, ctx);
}

void audit_change(gateway& g, const request_context& ctx, std::string_view tool_id) {
  std::string line;
  json_writer w(line);
  w.begin_object().field("at", format_rfc3339(now_ms())).field("action", "tool.catalog.update");
  w.field("outcome", "done").field("resource", tool_id);
  w.field("tenant_id", ctx.identity.tenant.value).field("user_id", ctx.identity.user.value);
  w.field("request_id", ctx.request_id).key("diff").raw(ctx.body).end_object();
  g.tools.audit.write(line);
}

asio::awaitable<response> put_tool(gateway& g, request_context& ctx) {
  const std::string id(ctx.path_parameter("tool_id"));
  if (auto no = denied(g.tools, ctx, "tool.catalog.update", id)) co_return std::move(*no);
  auto change = [&catalog = g.tools.catalog, tenant = ctx.identity.tenant, id,
                 body = json::serialize(ctx.json), if_match = std::string(ctx.header("if-match"))] {
    return catalog.change(tenant, id, body, if_match);
  };
  auto changed = co_await on_reader(g.lanes.writes, change);
  if (!changed) co_return problem(changed.error(), ctx);
  audit_change(g, ctx, id);
  publish_tenant_event(g.node.feeds, ctx.identity.tenant, "catalog.changed", "{}");
  response answer(200, entry_json(g, ctx, *changed));
  answer.headers.emplace_back("ETag", g.tools.catalog.of(ctx.identity.tenant)->etag);
  co_return answer;
}

// Whether the call could run, before anything is written: a caller by hand gets an answer, where a
// model gets an event.
std::optional<response> refuse(gateway& g, request_context& ctx, const std::string& tool_id,
                               const std::string& inputs_json) {
  const auto set = g.tools.catalog.of(ctx.identity.tenant);
  const auto* entry = set->find(tool_id);
  if (!entry) return problem(error(codes::tool_unknown, "there is no such tool"), ctx);
  if (!entry->enabled) return problem(error(codes::tool_disabled, "the tool is off"), ctx);
  if (const auto why = g.tools.runner.unavailable(ctx.identity.tenant, tool_id); !why.empty())
    return problem(error(codes::tool_unavailable, why), ctx);
  if (auto no = denied(g.tools, ctx, "conversation.send")) return no;
  if (auto no = denied(g.tools, ctx, "tool.execute", tool_id)) return no;
  if (auto inputs = entry->inputs.read(inputs_json); !inputs) return problem(inputs.error(), ctx);
  return std::nullopt;
}

asio::awaitable<response> request_tool(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  const session_id session(text_of(body, "session_id"));
  input::tool_request call;
  call.tool_id = text_of(body, "tool_id");
  call.inputs_json = body.contains("inputs") ? json_member(ctx.body, "inputs") : "{}";
  auto gate = co_await g.idempotency.enter(ctx, idempotency_key_of(ctx));
  if (!gate) co_return problem(gate.error(), ctx);
  if (!gate->replay)
    if (auto no = refuse(g, ctx, call.tool_id, call.inputs_json)) co_return std::move(*no);
  input::command what = std::move(call);
  auto reply = co_await g.command(ctx, session, std::move(what), &*gate);
  if (!reply) co_return problem(reply.error(), ctx);
  response answer(202);
  json_writer w(answer.body);
  w.begin_object().field("session_id", session.value).field("tool_call_id", reply->tool_call_id);
  w.field("event_id", to_string(reply->event)).field("status", "queued").end_object();
  mark_replayed(answer, *gate);
  co_return answer;
}

}  // namespace

void add_tool_routes(router& routes, gateway& g) {
  using operation = asio::awaitable<response> (*)(gateway&, request_context&);
  const auto add = [&](http::verb v, std::string pattern, std::string id, operation run,
                       bool body) {
    routes.add({.verb = v,
                .pattern = std::move(pattern),
                .operation_id = id,
                .handler = [&g, run](request_context& ctx) { return run(g, ctx); },
                .body = body ? body_mode::whole : body_mode::none,
                .body_schema = body ? id : std::string()});
  };
  add(verb::get, "/v1/tools", "list_tools", list_tools, false);
  add(verb::get, "/v1/tool-catalog", "get_tool_catalog", get_catalog, false);
  add(verb::put, "/v1/tool-catalog/{tool_id}", "put_tool", put_tool, true);
  add(verb::post, "/v1/tool/request", "request_tool", request_tool, true);
}

}  // namespace soma::http
