// Servers of the Model Context Protocol: what they are like, and a tenant's own.
#include <boost/json.hpp>

#include "app/mcp_servers.hpp"
#include "core/json_writer.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

void write_texts(json_writer& w, std::string_view name, const std::vector<std::string>& texts) {
  w.key(name).begin_array();
  for (const auto& text : texts) w.string(text);
  w.end_array();
}

std::string server_json(const app::server_view& view) {
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
  for (const auto& one : app::list_mcp_servers(g.services, ctx.caller)) w.raw(server_json(one));
  w.end_array().end_object();
  co_return answer;
}

asio::awaitable<response> put_server(gateway& g, request_context& ctx) {
  app::mcp_server_wish wanted;
  wanted.name = ctx.path_parameter("name");
  wanted.settings = std::make_shared<const secret_json>(ctx.json);
  wanted.if_match = ctx.header("if-match");
  auto stored = co_await app::put_mcp_server(g.services, admitted_of(ctx), std::move(wanted));
  if (!stored) co_return problem(stored.error(), ctx);
  response answer(200, server_json(*stored));
  answer.headers.emplace_back("ETag", stored->etag);
  co_return answer;
}

asio::awaitable<response> delete_server(gateway& g, request_context& ctx) {
  std::string name(ctx.path_parameter("name")), if_match(ctx.header("if-match"));
  auto removed = co_await app::delete_mcp_server(g.services, admitted_of(ctx), std::move(name),
                                                 std::move(if_match));
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
