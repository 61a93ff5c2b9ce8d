// Servers of the Model Context Protocol: what they are like, and a tenant's own.
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/secret_json.hpp"
#include "core/time.hpp"
#include "http/gateway.hpp"
#include "http/on_reader.hpp"
#include "http/problem.hpp"
#include "http/tool_gateway.hpp"
#include "tools/mcp/servers.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;
using tools::mcp::server_view;

void write_texts(json_writer& w, std::string_view name, const std::vector<std::string>& texts) {
  w.key(name).begin_array();
  for (const auto& text : texts) w.string(text);
  w.end_array();
}

std::string server_json(const server_view& view) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("name", view.name).field("source", view.source);
  w.field("transport", view.transport).field("address", view.address);
  w.field("state", view.state).field_if("protocol", view.revision);
  w.field_if("server", view.server).field_if("last_error", view.last_error);
  w.field_if("last_words", view.last_words);
  w.field_bool("has_token", view.has_token);
  write_texts(w, "tools", view.tools);
  w.field("left_out_count", std::uint64_t{view.left_out_count});
  write_texts(w, "left_out", view.left_out);
  w.end_object();
  return out;
}

void audit_change(gateway& g, const request_context& ctx, std::string_view action,
                  std::string_view name) {
  std::string line;
  json_writer w(line);
  w.begin_object().field("at", format_rfc3339(now_ms())).field("action", action);
  w.field("outcome", "done").field("resource", name);
  w.field("tenant_id", ctx.identity.tenant.value).field("user_id", ctx.identity.user.value);
  w.field("request_id", ctx.request_id).end_object();
  g.tools.audit.write(line);
}

asio::awaitable<response> list_servers(gateway& g, request_context& ctx) {
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("servers").begin_array();
  for (const auto& one : g.tools.mcp.list(ctx.identity.tenant)) w.raw(server_json(one));
  w.end_array().end_object();
  co_return answer;
}

asio::awaitable<response> put_server(gateway& g, request_context& ctx) {
  const std::string name(ctx.path_parameter("name"));
  auto put = [&servers = g.tools.mcp, tenant = ctx.identity.tenant, name,
              body = std::make_shared<const secret_json>(ctx.json),
              if_match = std::string(ctx.header("if-match"))] {
    return servers.put(tenant, name, body->reveal().as_object(), if_match);
  };
  auto stored = co_await on_reader(g.lanes.writes, put);
  if (!stored) co_return problem(stored.error(), ctx);
  audit_change(g, ctx, "mcp.server.put", name);
  response answer(200, server_json(*stored));
  answer.headers.emplace_back("ETag", stored->etag);
  co_return answer;
}

asio::awaitable<response> delete_server(gateway& g, request_context& ctx) {
  const std::string name(ctx.path_parameter("name"));
  auto remove = [&servers = g.tools.mcp, tenant = ctx.identity.tenant, name,
                 if_match = std::string(ctx.header("if-match"))] {
    return servers.remove(tenant, name, if_match);
  };
  auto removed = co_await on_reader(g.lanes.writes, remove);
  if (!removed) co_return problem(removed.error(), ctx);
  audit_change(g, ctx, "mcp.server.delete", name);
  co_return response(204);
}

}  // namespace

void add_mcp_routes(router& routes, gateway& g) {
  using operation = asio::awaitable<response> (*)(gateway&, request_context&);
  const auto add = [&](http::verb v, std::string pattern, std::string id, operation run,
                       bool body = false) {
    routes.add({.verb = v,
                .pattern = std::move(pattern),
                .operation_id = id,
                .handler = [&g, run](request_context& ctx) { return run(g, ctx); },
                .auth = auth_rule::admin,
                .body = body ? body_mode::whole : body_mode::none,
                .body_schema = body ? id : std::string(),
                .body_is_secret = body});
  };
  add(verb::get, "/v1/mcp-servers", "list_mcp_servers", list_servers);
  add(verb::put, "/v1/mcp-servers/{name}", "put_mcp_server", put_server, true);
  add(verb::delete_, "/v1/mcp-servers/{name}", "delete_mcp_server", delete_server);
}

}  // namespace soma::http
