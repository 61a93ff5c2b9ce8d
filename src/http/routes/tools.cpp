// The tool catalog, and running a tool by hand.
#include <boost/json.hpp>

#include "app/on_lane.hpp"
#include "app/tool_gateway.hpp"
#include "core/codes.hpp"
#include "core/json_member.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/net/etag.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/stream/tenant_stream.hpp"

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
  const auto why = g.services.tools.runner.unavailable(ctx.caller.tenant, entry.tool_id);
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
      "private, max-age=" + std::to_string(g.services.settings.number("tools.catalog_ttl_s")));
  return answer;
}

asio::awaitable<response> list_tools(gateway& g, request_context& ctx) {
  const auto set = g.services.tools.catalog.of(ctx.caller.tenant);
  std::string body, etag_parts = set->etag;
  json_writer w(body);
  w.begin_object().key("tools").begin_array();
  for (const auto& [id, entry] : set->entries) {
    if (!entry.enabled || !g.services.tools.runner.unavailable(ctx.caller.tenant, id).empty())
      continue;
    const auto said = g.services.tools.policy.decide_now(
        {ctx.caller.tenant.value, ctx.caller.user.value,
         ctx.caller.role == app::role::admin ? "admin" : "user", "tool.execute", id});
    if (!said.allow) continue;
    etag_parts += id;
    write_offer(w, entry);
  }
  w.end_array().end_object();
  const auto etag = '"' + app::derived_uuid({"tools", etag_parts}) + '"';
  co_return with_etag(g, std::move(body), etag, ctx);
}

asio::awaitable<response> get_catalog(gateway& g, request_context& ctx) {
  const auto set = g.services.tools.catalog.of(ctx.caller.tenant);
  std::string body;
  json_writer w(body);
  w.begin_object().key("tools").begin_array();
  for (const auto& [id, entry] : set->entries) w.raw(entry_json(g, ctx, entry));
  w.end_array().end_object();
  co_return with_etag(g, std::move(body), set->etag, ctx);
}

asio::awaitable<response> put_tool(gateway& g, request_context& ctx) {
  const std::string id(ctx.path_parameter("tool_id"));
  auto change = [&catalog = g.services.tools.catalog, tenant = ctx.caller.tenant, id,
                 body = json::serialize(ctx.json), if_match = std::string(ctx.header("if-match"))] {
    return catalog.change(tenant, id, body, if_match);
  };
  auto changed = co_await app::on_lane(g.services.lanes.writes, change);
  if (!changed) co_return problem(changed.error(), ctx);
  ctx.admitted->add("\"diff\":" + json::serialize(ctx.json));  // in one line, as a record is
  publish_tenant_event(g.services.node.feeds, ctx.caller.tenant, "catalog.changed", "{}");
  response answer(200, entry_json(g, ctx, *changed));
  answer.headers.emplace_back("ETag", g.services.tools.catalog.of(ctx.caller.tenant)->etag);
  co_return answer;
}

// Whether the call could run, before anything is written: a caller by hand gets an answer, where a
// model gets an event.
std::optional<response> refuse(gateway& g, request_context& ctx, const std::string& tool_id,
                               const std::string& inputs_json) {
  const auto set = g.services.tools.catalog.of(ctx.caller.tenant);
  const auto* entry = set->find(tool_id);
  if (!entry) return problem(error(codes::tool_unknown, "there is no such tool"), ctx);
  if (!entry->enabled) return problem(error(codes::tool_disabled, "the tool is off"), ctx);
  if (const auto why = g.services.tools.runner.unavailable(ctx.caller.tenant, tool_id);
      !why.empty())
    return problem(error(codes::tool_unavailable, why), ctx);
  if (auto inputs = entry->inputs.read(inputs_json); !inputs) return problem(inputs.error(), ctx);
  return std::nullopt;
}

asio::awaitable<response> request_tool(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  const session_id session(text_of(body, "session_id"));
  input::tool_request call;
  call.tool_id = text_of(body, "tool_id");
  call.inputs_json = body.contains("inputs") ? json_member(ctx.body, "inputs") : "{}";
  auto gate = co_await enter_once(g, ctx, idempotency_key_of(ctx));
  if (!gate) co_return problem(gate.error(), ctx);
  if (!gate->replay)
    if (auto no = refuse(g, ctx, call.tool_id, call.inputs_json)) co_return std::move(*no);
  if (!gate->replay) {
    std::vector<std::string> tools{call.tool_id};
    auto may = co_await g.services.pipeline.ask(admitted_of(ctx), "tool.execute", tools);
    if (!may) co_return problem(may.error(), ctx);
  }
  input::command what = std::move(call);
  auto reply = co_await g.services.command(admitted_of(ctx), session, std::move(what), &*gate);
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
  add_operation(routes, g, "list_tools", list_tools);
  add_operation(routes, g, "get_tool_catalog", get_catalog);
  add_operation(routes, g, "put_tool", put_tool);
  add_operation(routes, g, "request_tool", request_tool);
}

}  // namespace soma::http
