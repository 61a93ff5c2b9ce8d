// Health, readiness, metrics, the contract itself.
#include "app/node_health.hpp"
#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/version.hpp"
#include "embedded/soma_embedded_schemas.hpp"
#include "http/net/etag.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/stream/health_watch.hpp"
#include "security/digest.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

asio::awaitable<response> get_health(gateway& g, request_context& ctx) {
  using namespace std::chrono;
  const auto up = duration_cast<seconds>(steady_clock::now() - g.started_at).count();
  response answer;
  json_writer w(answer.body);
  w.begin_object();
  write_health(w, app::health_of(g.services, ctx.caller.tenant),
               ctx.caller.role != app::role::anonymous);
  w.field("version", version).field("uptime_s", static_cast<std::uint64_t>(up)).end_object();
  co_return answer;
}

asio::awaitable<response> get_liveness(gateway&, request_context&) {
  co_return response(200, R"({"status":"ok"})");
}

asio::awaitable<response> get_readiness(gateway& g, request_context& ctx) {
  if (g.stopping.load())
    co_return problem(error(codes::server_shutting_down, "the server is about to stop", 1), ctx);
  if (!g.ready.load() || !app::is_alive(g.services))
    co_return problem(error(codes::server_starting, "the server is not ready", 1), ctx);
  co_return response(200, R"({"status":"ready"})");
}

asio::awaitable<response> get_metrics(gateway& g, request_context&) {
  response answer(200, g.metrics.render(g));
  answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
  co_return answer;
}

asio::awaitable<response> get_openapi(gateway&, request_context& ctx) {
  static const auto document =
      std::make_shared<const std::string>(embedded::find_soma_embedded_schemas("openapi.json"));
  static const auto etag =
      '"' + security::hex(security::bytes_of(security::sha256(*document))).substr(0, 16) + '"';
  response answer;
  if (any_etag_matches(ctx.header("if-none-match"), etag))
    answer.status = 304;
  else
    answer.shared_body = document;
  answer.cache_control = "no-cache";
  answer.headers.emplace_back("ETag", etag);
  co_return answer;
}

}  // namespace

void add_operation_routes(router& routes, gateway& g) {
  add_operation(routes, g, "get_health", get_health);
  add_operation(routes, g, "get_liveness", get_liveness);
  add_operation(routes, g, "get_readiness", get_readiness);
  if (g.settings.flag("metrics.enabled")) add_operation(routes, g, "get_metrics", get_metrics);
  add_operation(routes, g, "get_openapi", get_openapi);
}

}  // namespace soma::http
