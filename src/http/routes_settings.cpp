// Settings and runtime-config.
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/version.hpp"
#include "http/gateway.hpp"
#include "http/model_settings.hpp"
#include "http/on_reader.hpp"
#include "http/problem.hpp"
#include "http/tenant_stream.hpp"
#include "security/digest.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

std::string settings_json(const model_view& view) {
  std::string out;
  json_writer w(out);
  w.begin_object().key("llm").begin_object().field("base_url", view.base_url);
  w.field("model", view.model).field("api_key", view.has_key ? "********" : "");
  w.end_object().end_object();
  return out;
}

asio::awaitable<response> get_settings(gateway& g, request_context&) {
  co_return response(200, settings_json(g.models.view()));
}

asio::awaitable<response> update_settings(gateway& g, request_context& ctx) {
  model_change change;
  if (const auto* llm = ctx.json.as_object().if_contains("llm")) {
    auto take = [&](std::string_view name, std::optional<std::string>& into) {
      if (const auto* value = llm->as_object().if_contains(name)) into = value->as_string();
    };
    take("base_url", change.base_url);
    take("model", change.model);
    take("api_key", change.api_key);
  }
  auto work = [&g, change] { return g.models.update(change); };
  auto view = co_await on_reader(g.pool, work);
  if (!view) {
    const auto& why = view.error();
    // A URL that cannot be normalized is the caller's mistake here, not the configuration's.
    const auto code = why.code == codes::config_invalid ? codes::request_invalid : why.code;
    co_return problem(error(code, why.detail), ctx);
  }
  publish_tenant_event(g.node.feeds, ctx.identity.tenant, "settings.changed", "{}");
  co_return response(200, settings_json(*view));
}

std::string runtime_config_json(const gateway& g) {
  std::string out;
  json_writer w(out);
  auto limit = [&](std::string_view name, std::string_view key) {
    w.field(name, static_cast<std::uint64_t>(g.settings.number(key)));
  };
  w.begin_object().field("version", version).key("limits").begin_object();
  limit("body_bytes_max", "http.body_bytes_max");
  w.field("message_chars_max", std::uint64_t{262144}).field("title_chars_max", std::uint64_t{200});
  w.field("attachments_max", std::uint64_t{0}).field("events_page_max", std::uint64_t{500});
  limit("session_queue_max", "session.queue_max");
  limit("sse_heartbeat_s", "sse.heartbeat_s");
  w.end_object().key("profiles").begin_array().string(g.node.model()->profile.name).end_array();
  w.key("flags").begin_object().field_bool("rehearsal", g.models.rehearsal());
  const bool configured = !g.node.model()->profile.base_url.empty();
  w.field_bool("model_configured", configured).end_object();
  w.key("degraded").begin_array();
  if (!configured) w.string("llm");
  w.end_array().end_object();
  return out;
}

asio::awaitable<response> get_runtime_config(gateway& g, request_context& ctx) {
  response answer(200, runtime_config_json(g));
  const auto hash = security::sha256(answer.body);
  const auto etag = '"' + security::hex(security::bytes_of(hash)).substr(0, 16) + '"';
  if (ctx.header("if-none-match") == etag) answer = response(304);
  answer.headers.emplace_back("ETag", etag);
  answer.cache_control = "no-cache";
  co_return answer;
}

}  // namespace

void add_settings_routes(router& routes, gateway& g) {
  using operation = asio::awaitable<response> (*)(gateway&, request_context&);
  auto add = [&](http::verb v, std::string pattern, std::string id, operation run, auth_rule who,
                 body_mode body = body_mode::none) {
    routes.add({.verb = v,
                .pattern = std::move(pattern),
                .operation_id = id,
                .handler = [&g, run](request_context& ctx) { return run(g, ctx); },
                .auth = who,
                .body = body,
                .body_schema = body == body_mode::none ? std::string() : id});
  };
  add(verb::get, "/v1/settings", "get_settings", get_settings, auth_rule::admin);
  add(verb::put, "/v1/settings", "update_settings", update_settings, auth_rule::admin,
      body_mode::whole);
  add(verb::post, "/v1/settings", "update_settings_post", update_settings, auth_rule::admin,
      body_mode::whole);
  add(verb::get, "/v1/runtime-config", "get_runtime_config", get_runtime_config, auth_rule::user);
}

}  // namespace soma::http
