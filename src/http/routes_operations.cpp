// Health, readiness, metrics, the contract itself.
#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/version.hpp"
#include "embedded/soma_embedded_schemas.hpp"
#include "http/gateway.hpp"
#include "http/llm_gateway.hpp"
#include "http/problem.hpp"
#include "http/tool_gateway.hpp"
#include "tools/mcp/servers.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

// Tools that are on and cannot run here, each with why.
std::string tools_missing(gateway& g, const request_context& ctx) {
  std::string missing;
  for (const auto& [id, entry] : g.tools.catalog.of(ctx.identity.tenant)->entries)
    if (entry.enabled && entry.executor != "mcp")
      if (const auto why = g.tools.runner.unavailable(ctx.identity.tenant, id); !why.empty())
        missing += (missing.empty() ? "" : "; ") + id + ": " + why;
  return missing;
}

// Servers of tools that are not connected, each with why. They are others' and come back: this
// server is healthy without them.
std::string servers_missing(gateway& g, const request_context& ctx) {
  std::string missing;
  for (const auto& one : g.tools.mcp.list(ctx.identity.tenant))
    if (one.state != "ready")
      missing += (missing.empty() ? "" : "; ") + one.name + ": " +
                 (one.last_error.empty() ? one.state : one.last_error);
  return missing;
}

asio::awaitable<response> get_health(gateway& g, request_context& ctx) {
  using namespace std::chrono;
  const auto up = duration_cast<seconds>(steady_clock::now() - g.started_at).count();
  const bool configured = g.llm.models().any();
  const auto backlog = g.node.queued_bytes.load(std::memory_order_relaxed);
  const bool writer_busy = backlog > g.node.limits.writer_queue_bytes / 2;
  response answer;
  json_writer w(answer.body);
  w.begin_object().field("status", configured && !writer_busy ? "ok" : "degraded");
  w.field("version", version).field("uptime_s", static_cast<std::uint64_t>(up));
  if (ctx.identity.role != role::anonymous) {
    auto component = [&w](std::string_view name, bool ok, std::string_view detail) {
      w.key(name).begin_object().field("status", ok ? "ok" : "degraded");
      w.field_if("detail", detail).end_object();
    };
    w.key("components").begin_object();
    component("llm", configured, configured ? "" : "no model is configured");
    component("event_writer", !writer_busy, std::to_string(backlog) + " bytes wait for the disk");
    component("outbox", true, "0 rows wait");
    const auto missing = tools_missing(g, ctx);
    component("tools", missing.empty(), missing);
    const auto servers = servers_missing(g, ctx);
    component("mcp", servers.empty(), servers);
    w.end_object();
  }
  w.end_object();
  co_return answer;
}

asio::awaitable<response> get_liveness(gateway&, request_context&) {
  co_return response(200, R"({"status":"ok"})");
}

asio::awaitable<response> get_readiness(gateway& g, request_context& ctx) {
  if (!g.ready.load())
    co_return problem(error(codes::server_starting, "the server is not ready", 1), ctx);
  co_return response(200, R"({"status":"ready"})");
}

asio::awaitable<response> get_metrics(gateway& g, request_context&) {
  response answer(200, g.render_metrics());
  answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
  co_return answer;
}

asio::awaitable<response> get_openapi(gateway&, request_context&) {
  static const auto document =
      std::make_shared<const std::string>(embedded::find_soma_embedded_schemas("openapi.json"));
  response answer;
  answer.shared_body = document;
  answer.cache_control = "no-cache";
  co_return answer;
}

}  // namespace

void add_operation_routes(router& routes, gateway& g) {
  using operation = asio::awaitable<response> (*)(gateway&, request_context&);
  auto add = [&](std::string pattern, std::string id, operation run, auth_rule who) {
    routes.add({.verb = verb::get,
                .pattern = std::move(pattern),
                .operation_id = std::move(id),
                .handler = [&g, run](request_context& ctx) { return run(g, ctx); },
                .auth = who});
  };
  add("/v1/health", "get_health", get_health, auth_rule::optional);
  add("/healthz", "get_liveness", get_liveness, auth_rule::none);
  add("/readyz", "get_readiness", get_readiness, auth_rule::none);
  if (g.settings.flag("metrics.enabled"))
    add("/metrics", "get_metrics", get_metrics, auth_rule::user);
  add("/v1/openapi.json", "get_openapi", get_openapi, auth_rule::none);
}

}  // namespace soma::http
