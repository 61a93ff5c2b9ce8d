// Settings and runtime-config.
#include <boost/json.hpp>

#include "app/node_health.hpp"
#include "app/on_lane.hpp"
#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "core/version.hpp"
#include "http/net/etag.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/stream/tenant_stream.hpp"
#include "llm/base_url.hpp"
#include "models/llm_gateway.hpp"
#include "security/digest.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

// The short way to a model: the profile called default, and the key of its provider.
constexpr std::string_view profile_name = "default", mask = "********";

std::string settings_json(gateway& g, const tenant_id& tenant) {
  const auto found = g.services.llm.models().get(tenant, profile_name);
  bool has_key = false;
  if (found) {
    const auto key = g.services.llm.key_for(tenant, llm::to_target(found->profile));
    has_key = key && !key->empty();
  }
  std::string out;
  json_writer w(out);
  w.begin_object().key("llm").begin_object();
  w.field("base_url", found ? std::string_view(found->profile.base_url) : "");
  w.field("model", found ? std::string_view(found->profile.model) : "");
  w.field("api_key", has_key ? mask : "").end_object().end_object();
  return out;
}

asio::awaitable<response> get_settings(gateway& g, request_context& ctx) {
  co_return response(200, settings_json(g, ctx.caller.tenant));
}

struct settings_change {
  std::optional<std::string> base_url, model;
  std::optional<secret_string> api_key;
};

settings_change change_of(const boost::json::object& body) {
  settings_change change;
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

result<void> remove_own(models::model_registry& models, const tenant_id& tenant) {
  auto removed = models.remove(tenant, profile_name, {});
  const bool was_none = !removed && removed.error().code == codes::profile_not_found;
  return was_none ? result<void>() : removed;
}

// "" takes what the tenant set away, so that the configuration counts again.
result<void> change_profile(models::model_registry& models, const tenant_id& tenant,
                            const settings_change& change) {
  if (!change.base_url && !change.model) return {};
  if (change.base_url && change.base_url->empty()) return remove_own(models, tenant);
  const auto configured = models.configured(profile_name);
  const auto before = models.get(tenant, profile_name);
  auto profile = before ? before->profile : llm::model_profile();
  profile.name = profile_name;
  if (change.base_url) {
    auto normal = llm::normalize_base_url(*change.base_url);
    if (!normal) return normal.error();
    if (*normal != profile.base_url) {
      profile.base_url = std::move(*normal);
      profile.provider = llm::detect_provider(profile.base_url);
      profile.kind = llm::default_wire(profile.provider);
    }
  }
  if (change.model) profile.model = *change.model;
  if (profile.model.empty() && configured) profile.model = configured->model;
  if (configured && profile == *configured) return remove_own(models, tenant);
  // The same judgment as a profile that is given as a whole.
  auto parsed = llm::parse_profile(llm::to_json(profile), profile_name);
  if (!parsed) return parsed.error();
  if (!models.private_allowed() && parsed->provider == "local")
    return error(codes::profile_invalid, "base_url: private addresses are not allowed here");
  auto put = models.put(tenant, *parsed, {});
  return put ? result<void>() : result<void>(put.error());
}

result<void> change_key(models::llm_gateway& llm, const tenant_id& tenant,
                        const settings_change& change) {
  if (!change.api_key) return {};
  const auto found = llm.models().get(tenant, profile_name);
  const std::string provider = found ? found->profile.provider : "openai_compatible";
  if (change.api_key->empty()) return llm.vault().remove(tenant, provider);
  auto put = llm.vault().put(tenant, provider, *change.api_key, now_ms());
  return put ? result<void>() : result<void>(put.error());
}

asio::awaitable<response> update_settings(gateway& g, request_context& ctx) {
  auto change = std::make_shared<const settings_change>(change_of(ctx.json.as_object()));
  auto work = [&llm = g.services.llm, tenant = ctx.caller.tenant, change]() -> result<void> {
    if (auto changed = change_profile(llm.models(), tenant, *change); !changed) return changed;
    return change_key(llm, tenant, *change);
  };
  auto changed = co_await app::on_lane(g.services.lanes.writes, work);
  if (!changed) {
    const auto& why = changed.error();
    const bool bad = why.code == codes::profile_invalid || why.code == codes::config_invalid;
    co_return problem(error(bad ? codes::request_invalid : why.code, why.detail), ctx);
  }
  publish_tenant_event(g.services.node.feeds, ctx.caller.tenant, "settings.changed", "{}");
  co_return response(200, settings_json(g, ctx.caller.tenant));
}

std::string runtime_config_json(gateway& g, const tenant_id& tenant) {
  std::string out;
  json_writer w(out);
  auto limit = [&](std::string_view name, std::string_view key) {
    w.field(name, static_cast<std::uint64_t>(g.services.settings.number(key)));
  };
  w.begin_object().field("version", version).key("limits").begin_object();
  limit("body_bytes_max", "http.body_bytes_max");
  w.field("message_chars_max", std::uint64_t{262144}).field("title_chars_max", std::uint64_t{200});
  w.field("attachments_max", std::uint64_t{32}).field("events_page_max", std::uint64_t{500});
  limit("session_queue_max", "session.queue_max");
  limit("sse_heartbeat_s", "sse.heartbeat_s");
  w.end_object().key("profiles").begin_array();
  for (const auto& listed : g.services.llm.models().list(tenant))
    if (listed.profile.enabled) w.string(listed.profile.name);
  const auto model = g.services.llm.models().dialogue(tenant);
  // The rehearsal server says itself, by the name of its model, that it is none.
  w.end_array().key("flags").begin_object();
  w.field_bool("rehearsal", model->profile.model == "rehearsal");
  const bool configured = !model->profile.base_url.empty();
  w.field_bool("model_configured", configured);
  // Without it, and without a stored key, who signs out gets in by a fresh link alone.
  w.field_bool("admin_key", !g.services.settings.secret("auth.admin_key").empty()).end_object();
  w.key("degraded").begin_array();
  for (const auto& one : app::health_of(g.services, tenant))
    if (one.vital && !(one.name == "llm" ? configured : one.ok)) w.string(one.name);
  w.end_array().end_object();
  return out;
}

asio::awaitable<response> get_runtime_config(gateway& g, request_context& ctx) {
  response answer(200, runtime_config_json(g, ctx.caller.tenant));
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
