// Servers of the Model Context Protocol: what they are like, and a tenant's own.
#include <boost/json.hpp>

#include "app/on_lane.hpp"
#include "app/tool_gateway.hpp"
#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/secret_json.hpp"
#include "core/time.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
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

asio::awaitable<response> list_servers(gateway& g, request_context& ctx) {
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("servers").begin_array();
  for (const auto& one : g.services.tools.mcp.list(ctx.caller.tenant)) w.raw(server_json(one));
  w.end_array().end_object();
  co_return answer;
}

asio::awaitable<response> put_server(gateway& g, request_context& ctx) {
  const std::string name(ctx.path_parameter("name"));
  auto put = [&servers = g.services.tools.mcp, tenant = ctx.caller.tenant, name,
              body = std::make_shared<const secret_json>(ctx.json),
              if_match = std::string(ctx.header("if-match"))] {
    return servers.put(tenant, name, body->reveal().as_object(), if_match);
  };
  auto stored = co_await app::on_lane(g.services.lanes.writes, put);
  if (!stored) co_return problem(stored.error(), ctx);
  response answer(200, server_json(*stored));
  answer.headers.emplace_back("ETag", stored->etag);
  co_return answer;
}

asio::awaitable<response> delete_server(gateway& g, request_context& ctx) {
  const std::string name(ctx.path_parameter("name"));
  auto remove = [&servers = g.services.tools.mcp, tenant = ctx.caller.tenant, name,
                 if_match = std::string(ctx.header("if-match"))] {
    return servers.remove(tenant, name, if_match);
  };
  auto removed = co_await app::on_lane(g.services.lanes.writes, remove);
  if (!removed) co_return problem(removed.error(), ctx);
  co_return response(204);
}

}  // namespace

void add_mcp_routes(router& routes, gateway& g) {
  add_operation(routes, g, "list_mcp_servers", list_servers);
  add_operation(routes, g, "put_mcp_server", put_server);
  add_operation(routes, g, "delete_mcp_server", delete_server);
}

}  // namespace soma::http
