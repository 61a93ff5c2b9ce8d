// GET /v1/admin/cluster, POST …/drain and …/undrain.
#include "app/cluster.hpp"

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

void write_partition(json_writer& w, const app::cluster_overview::partition& one) {
  w.begin_object().field("partition", std::uint64_t{one.partition}).field("owner", one.owner);
  w.field("epoch", std::uint64_t{one.epoch}).field("head", one.head);
  w.key("standbys").begin_array();
  for (const auto& standby : one.standbys)
    w.begin_object().field("node_id", standby.node).field("lag", standby.lag).end_object();
  w.end_array().field_if("stopped", one.stopped).end_object();
}

void write_overview(json_writer& w, const app::cluster_overview& seen) {
  w.begin_object().field_bool("clustered", seen.clustered).field("node_id", seen.node);
  w.field_bool("draining", seen.draining);
  w.field("moves_under_way", std::uint64_t{seen.moves_under_way});
  if (seen.of_session) {
    w.key("session").begin_object();
    w.field("partition", std::uint64_t{seen.of_session->partition});
    w.field("owner", seen.of_session->owner).end_object();
  }
  w.key("nodes").begin_array();
  for (const auto& one : seen.nodes) {
    w.begin_object().field("node_id", one.node).field("address", one.address);
    w.field("version", one.version).key("roles").begin_array();
    for (const auto& role : one.roles) w.string(role);
    w.end_array().field("state", one.state).field("since", format_rfc3339(one.since_ms));
    w.end_object();
  }
  w.end_array().key("partitions").begin_array();
  for (const auto& one : seen.partitions) write_partition(w, one);
  w.end_array().key("refused").begin_array();
  for (const auto& one : seen.refused) w.string(one);
  w.end_array().end_object();
}

asio::awaitable<response> get_cluster(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  const session_id session(std::string(query.take("session_id").value_or("")));
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  const auto seen = app::look_at_cluster(g.services, ctx.caller, session);
  if (!seen) co_return problem(seen.error(), ctx);
  response answer;
  json_writer w(answer.body);
  write_overview(w, *seen);
  co_return answer;
}

asio::awaitable<response> drain(gateway& g, request_context& ctx, bool wanted) {
  const auto* body = ctx.json.if_object();
  auto node = body ? text_of(*body, "node_id") : std::string();
  const auto* mine = app::cluster_of(g.services);
  if (g.relay && !node.empty() && node != mine->node()) {
    if (ctx.of_node) co_return problem(error(codes::cluster_node_unknown, "not this node"), ctx);
    co_return co_await g.relay->at_node(ctx, std::move(node));
  }
  const auto done = app::drain_node(g.services, admitted_of(ctx), wanted);
  if (!done) co_return problem(done.error(), ctx);
  ctx.admitted->about(mine->node());
  response answer(202);
  json_writer w(answer.body);
  w.begin_object().field("node_id", mine->node()).field_bool("draining", wanted).end_object();
  co_return answer;
}

asio::awaitable<response> drain_node(gateway& g, request_context& ctx) {
  return drain(g, ctx, true);
}

asio::awaitable<response> undrain_node(gateway& g, request_context& ctx) {
  return drain(g, ctx, false);
}

}  // namespace

void add_cluster_routes(router& routes, gateway& g) {
  add_operation(routes, g, "get_cluster", get_cluster);
  add_operation(routes, g, "drain_node", drain_node);
  add_operation(routes, g, "undrain_node", undrain_node);
}

}  // namespace soma::http
