// The tool catalog, and running a tool by hand.
#include <boost/json.hpp>

#include "app/tool_catalog.hpp"
#include "core/json_member.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "http/net/etag.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"

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
std::string entry_json(const tools::catalog_entry& entry, std::string_view unavailable) {
  auto text = tools::to_json(entry);
  if (unavailable.empty()) return text;
  text.back() = ',';
  std::string quoted;
  json_writer(quoted).string(unavailable);
  return text + "\"unavailable\":" + quoted + "}";
}

response with_etag(std::string body, const app::listed_tools& list, request_context& ctx) {
  const bool same = any_etag_matches(ctx.header("if-none-match"), list.etag);
  response answer = same ? response(304) : response(200, std::move(body));
  answer.headers.emplace_back("ETag", list.etag);
  answer.cache_control = {};
  answer.headers.emplace_back("Cache-Control",
                              "private, max-age=" + std::to_string(list.max_age_s));
  return answer;
}

asio::awaitable<response> list_tools(gateway& g, request_context& ctx) {
  const auto list = co_await app::list_tools(g.services, ctx.caller);
  if (!list) co_return problem(list.error(), ctx);
  std::string body;
  json_writer w(body);
  w.begin_object().key("tools").begin_array();
  for (const auto& one : list->tools) write_offer(w, *one.entry);
  w.end_array().end_object();
  co_return with_etag(std::move(body), *list, ctx);
}

asio::awaitable<response> get_catalog(gateway& g, request_context& ctx) {
  const auto list = app::read_tool_catalog(g.services, ctx.caller);
  std::string body;
  json_writer w(body);
  w.begin_object().key("tools").begin_array();
  for (const auto& one : list.tools) w.raw(entry_json(*one.entry, one.unavailable));
  w.end_array().end_object();
  co_return with_etag(std::move(body), list, ctx);
}

asio::awaitable<response> put_tool(gateway& g, request_context& ctx) {
  std::string id(ctx.path_parameter("tool_id")), if_match(ctx.header("if-match"));
  auto change = json::serialize(ctx.json);
  auto changed = co_await app::change_tool(g.services, *ctx.admitted, std::move(id),
                                           std::move(change), std::move(if_match));
  if (!changed) co_return problem(changed.error(), ctx);
  response answer(200, entry_json(changed->entry, changed->unavailable));
  answer.headers.emplace_back("ETag", changed->etag);
  co_return answer;
}

asio::awaitable<response> request_tool(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  const session_id session(text_of(body, "session_id"));
  input::tool_request call;
  call.tool_id = text_of(body, "tool_id");
  call.inputs_json = "{}";
  if (body.contains("inputs")) call.inputs_json = json_member(ctx.body, "inputs");
  auto once = once_key_of(ctx);
  if (!once) co_return problem(once.error(), ctx);
  auto reply = co_await app::request_tool(g.services, admitted_of(ctx), std::move(*once), session,
                                          std::move(call));
  if (!reply) co_return problem(reply.error(), ctx);
  response answer(202);
  json_writer w(answer.body);
  w.begin_object().field("session_id", session.value);
  w.field("tool_call_id", reply->what.tool_call_id);
  w.field("event_id", to_string(reply->what.event)).field("status", "queued").end_object();
  mark_replayed(answer, reply->replayed);
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
