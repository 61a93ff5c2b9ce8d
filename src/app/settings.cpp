#include "app/settings.hpp"

#include "app/node_health.hpp"
#include "app/on_writes.hpp"
#include "app/services.hpp"
#include "app/tenant_notices.hpp"
#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "llm/base_url.hpp"
#include "models/llm_gateway.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

constexpr std::string_view profile_name = "default";

result<void> remove_own(models::model_registry& models, const tenant_id& tenant) {
  auto removed = models.remove(tenant, profile_name, {});
  const bool was_none = !removed && removed.error().code == codes::profile_not_found;
  return was_none ? result<void>() : removed;
}

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

// None: the node's counts. No guard: there is nothing to be set.
result<void> change_egress(models::llm_gateway& llm, const tenant_id& tenant,
                           const settings_change& change) {
  if (!change.pii || !llm.guard()) return {};
  if (change.pii->empty()) return llm.guard()->set(tenant, std::nullopt);
  const auto mode = security::pii::mode_named(*change.pii);
  if (!mode) return error(codes::request_invalid, "egress.pii: there is no such mode");
  return llm.guard()->set(tenant, mode);
}

constexpr std::string_view mask = "********";

// What of the settings is another, a key only by whether there is one.
std::string difference(const tenant_settings& was, const tenant_settings& is, bool new_key) {
  const auto &before = was.llm, &now = is.llm;
  std::string out;
  json_writer w(out);
  w.begin_object();
  const auto tell = [&w](std::string_view name, std::string_view from, std::string_view to) {
    w.key(name).begin_object().field("from", from).field("to", to).end_object();
  };
  if (before.base_url != now.base_url) tell("llm.base_url", before.base_url, now.base_url);
  if (before.model != now.model) tell("llm.model", before.model, now.model);
  if (before.has_key != now.has_key || new_key)
    tell("llm.api_key", before.has_key ? mask : "", now.has_key ? mask : "");
  if (was.egress.pii != is.egress.pii) tell("egress.pii", was.egress.pii, is.egress.pii);
  w.end_object();
  return out;
}

}  // namespace

namespace {

egress_settings read_egress(services& s, const caller& who) {
  const auto* guard = s.llm.guard();
  if (!guard) return {to_string(security::pii::mode::off), false};
  return {to_string(guard->mode_of(who.tenant)), guard->own_mode(who.tenant).has_value()};
}

llm_settings read_llm(services& s, const caller& who) {
  llm_settings out;
  const auto found = s.llm.models().get(who.tenant, profile_name);
  if (!found) return out;
  out.base_url = found->profile.base_url;
  out.model = found->profile.model;
  const auto key = s.llm.key_for(who.tenant, llm::to_target(found->profile));
  out.has_key = key && !key->empty();
  return out;
}

}  // namespace

tenant_settings read_settings(services& s, const caller& who) {
  return {read_llm(s, who), read_egress(s, who)};
}

asio::awaitable<result<tenant_settings>> change_settings(services& s, admitted& in,
                                                         settings_change change) {
  const auto& tenant = in.who().tenant;
  const auto before = read_settings(s, in.who());
  const bool new_key = change.api_key && !change.api_key->empty();
  auto work = [&llm = s.llm, tenant,
               change =
                   std::make_shared<const settings_change>(std::move(change))]() -> result<void> {
    if (auto changed = change_profile(llm.models(), tenant, *change); !changed) return changed;
    if (auto changed = change_key(llm, tenant, *change); !changed) return changed;
    return change_egress(llm, tenant, *change);
  };
  auto changed = co_await on_writes(s, tenant, work);
  if (!changed) {
    const auto& why = changed.error();
    if (why.code == codes::profile_invalid || why.code == codes::config_invalid)
      co_return error(codes::request_invalid, why.detail);
    co_return why;
  }
  s.notices.settings_changed(tenant);
  auto now = read_settings(s, in.who());
  in.changed(difference(before, now, new_key));
  co_return now;
}

runtime_config read_runtime_config(services& s, const caller& who) {
  const auto limit = [&](std::string_view key) {
    return static_cast<std::uint64_t>(s.settings.number(key));
  };
  runtime_config out;
  out.body_bytes_max = limit("http.body_bytes_max");
  out.session_queue_max = limit("session.queue_max");
  out.sse_heartbeat_s = limit("sse.heartbeat_s");
  for (const auto& listed : s.llm.models().list(who.tenant))
    if (listed.profile.enabled) out.profiles.push_back(listed.profile.name);
  const auto model = s.llm.models().dialogue(who.tenant);
  // The rehearsal server says itself, by the name of its model, that it is none.
  out.rehearsal = model->profile.model == "rehearsal";
  out.model_configured = !model->profile.base_url.empty();
  out.admin_key = !s.settings.secret("auth.admin_key").empty();
  for (const auto& one : health_of(s, who.tenant))
    if (one.vital && !(one.name == "llm" ? out.model_configured : one.ok))
      out.degraded.push_back(one.name);
  return out;
}

}  // namespace soma::app
