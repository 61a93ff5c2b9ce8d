// Settings and runtime-config.
#include "app/settings.hpp"

#include <boost/json.hpp>

#include "core/json_writer.hpp"
#include "core/version.hpp"
#include "http/net/etag.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "security/digest.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

constexpr std::string_view mask = "********";  // a key that is set

std::string settings_json(const app::tenant_settings& is) {
  const auto& now = is.llm;
  std::string out;
  json_writer w(out);
  w.begin_object().key("llm").begin_object();
  w.field("base_url", now.base_url).field("model", now.model);
  w.field("api_key", now.has_key ? mask : "").end_object().key("egress").begin_object();
  w.field("pii", is.egress.pii).field("from", is.egress.of_tenant ? "tenant" : "configuration");
  w.end_object().end_object();
  return out;
}

asio::awaitable<response> get_settings(gateway& g, request_context& ctx) {
  co_return response(200, settings_json(app::read_settings(g.services, ctx.caller)));
}

app::settings_change change_in(const boost::json::object& body) {
  app::settings_change change;
  if (const auto* egress = body.if_contains("egress"))
    change.pii = std::string(egress->as_object().at("pii").as_string());
  const auto* llm = body.if_contains("llm");
  if (!llm) return change;
  const auto text = [&](std::string_view name) -> std::optional<std::string> {
    const auto* value = llm->as_object().if_contains(name);
    return value ? std::optional(std::string(value->as_string())) : std::nullopt;
  };
  change.base_url = text("base_url");
  change.model = text("model");
  if (const auto* key = llm->as_object().if_contains("api_key"); key && key->as_string() != mask)
    change.api_key = secret_string(std::string(key->as_string()));
  return change;
}

asio::awaitable<response> update_settings(gateway& g, request_context& ctx) {
  auto change = change_in(ctx.json.as_object());
  auto now = co_await app::change_settings(g.services, *ctx.admitted, std::move(change));
  if (!now) co_return problem(now.error(), ctx);
  co_return response(200, settings_json(*now));
}

void write_names(json_writer& w, std::string_view key, const std::vector<std::string>& names) {
  w.key(key).begin_array();
  for (const auto& name : names) w.string(name);
  w.end_array();
}

std::string runtime_config_json(const app::runtime_config& now) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("version", version).key("limits").begin_object();
  w.field("body_bytes_max", now.body_bytes_max);
  w.field("message_chars_max", std::uint64_t{262144}).field("title_chars_max", std::uint64_t{200});
  w.field("attachments_max", std::uint64_t{32}).field("events_page_max", std::uint64_t{500});
  w.field("session_queue_max", now.session_queue_max);
  w.field("sse_heartbeat_s", now.sse_heartbeat_s).end_object();
  write_names(w, "profiles", now.profiles);
  w.key("flags").begin_object().field_bool("rehearsal", now.rehearsal);
  w.field_bool("model_configured", now.model_configured);
  w.field_bool("admin_key", now.admin_key).end_object();
  write_names(w, "degraded", now.degraded);
  w.end_object();
  return out;
}

asio::awaitable<response> get_runtime_config(gateway& g, request_context& ctx) {
  response answer(200, runtime_config_json(app::read_runtime_config(g.services, ctx.caller)));
  const auto hash = security::sha256(answer.body);
  const auto etag = '"' + security::hex(security::bytes_of(hash)).substr(0, 16) + '"';
  if (any_etag_matches(ctx.header("if-none-match"), etag)) answer = response(304);
  answer.headers.emplace_back("ETag", etag);
  answer.cache_control = "no-cache";
  co_return answer;
}

}  // namespace

void add_settings_routes(router& routes, gateway& g) {
  add_operation(routes, g, "get_settings", get_settings);
  add_operation(routes, g, "update_settings", update_settings);
  add_operation(routes, g, "update_settings_post", update_settings);
  add_operation(routes, g, "get_runtime_config", get_runtime_config);
}

}  // namespace soma::http
