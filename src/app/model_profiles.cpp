#include "app/model_profiles.hpp"

#include <boost/json.hpp>

#include "app/on_writes.hpp"
#include "app/services.hpp"
#include "app/tenant_notices.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "models/llm_gateway.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

constexpr std::string_view of_configuration = "configuration", of_tenant = "tenant";

shown_profile shown(const models::model_registry& models, models::listed_profile listed) {
  shown_profile out;
  out.profile = std::move(listed.profile);
  out.profile.context_window = models.window_of(out.profile);
  out.profile.says_window = true;
  out.from_configuration = listed.from_configuration;
  out.etag = std::move(listed.etag);
  return out;
}

result<answered<shown_profile>> kept_profile(const idempotency_gate::entry& gate) {
  const auto& text = gate.replay->response_json;
  boost::system::error_code ec;
  const auto value = boost::json::parse({text.data(), text.size()}, ec);
  auto profile = llm::parse_profile(text, "");
  if (ec || !profile) return error(codes::storage_corrupt, "not the answer to a new profile");
  shown_profile out;
  out.profile = std::move(*profile);
  out.from_configuration = text_of(value.get_object(), "source") == of_configuration;
  return answered<shown_profile>(std::move(out), true);
}

asio::awaitable<result<models::listed_profile>> store(services& s, const admitted& in,
                                                      llm::model_profile profile,
                                                      models::model_registry::condition only,
                                                      models::model_registry::keeper keep) {
  auto& models = s.llm.models();
  if (!models.private_allowed() && llm::detect_provider(profile.base_url) == "local")
    co_return error(codes::profile_invalid,
                    "base_url: addresses of this machine and of private networks are not allowed "
                    "here (llm.allow_private_base_urls)");
  auto put = [&models, tenant = in.who().tenant, profile = std::move(profile),
              only = std::move(only),
              keep = std::move(keep)] { return models.put(tenant, profile, only, keep); };
  co_return co_await on_writes(s, in.who().tenant, put);
}

// Where it speaks to and as what; null: it was not there, or is not any more.
std::string difference(const result<models::listed_profile>& was, const llm::model_profile* now) {
  const auto* before = was ? &was->profile : nullptr;
  std::string out;
  json_writer w(out);
  w.begin_object();
  const auto tell = [&](std::string_view name, std::string llm::model_profile::*member) {
    const std::string none, &from = before ? before->*member : none,
                            &to = now ? now->*member : none;
    if (from != to) w.key(name).begin_object().field("from", from).field("to", to).end_object();
  };
  tell("base_url", &llm::model_profile::base_url);
  tell("model", &llm::model_profile::model);
  w.end_object();
  return out;
}

}  // namespace

std::string profile_json(const shown_profile& shown) {
  auto text = llm::to_json(shown.profile);
  text.pop_back();
  text.append(",\"source\":\"").append(shown.from_configuration ? of_configuration : of_tenant);
  return text + "\"}";
}

std::vector<shown_profile> list_model_profiles(services& s, const caller& who) {
  std::vector<shown_profile> all;
  const auto& models = s.llm.models();
  for (auto& one : models.list(who.tenant)) all.push_back(shown(models, std::move(one)));
  return all;
}

result<shown_profile> find_model_profile(services& s, const caller& who, std::string_view name) {
  auto found = s.llm.models().get(who.tenant, name);
  if (!found) return found.error();
  return shown(s.llm.models(), std::move(*found));
}

asio::awaitable<result<answered<shown_profile>>> create_model_profile(services& s, admitted& in,
                                                                      once_key once,
                                                                      llm::model_profile profile) {
  auto gate = co_await s.idempotency.enter(in.who(), std::move(once));
  if (!gate) co_return gate.error();
  if (gate->replay) co_return kept_profile(*gate);
  models::model_registry::condition only;
  only.fresh = true;
  models::model_registry::keeper keep;
  if (!gate->key.empty())
    keep = [&s, record = s.idempotency.record_of(*gate, 201, {})](
               const models::listed_profile& made,
               std::span<const storage::document_row> rows) mutable {
      record.response_json = profile_json(shown(s.llm.models(), made));
      return s.node.log.put_idempotency(record, rows);
    };
  auto stored = co_await store(s, in, std::move(profile), std::move(only), std::move(keep));
  if (!stored) {
    auto kept = co_await s.idempotency.find_twin(*gate, stored.error());
    if (!kept) co_return kept.error();
    co_return kept_profile(*gate);
  }
  in.changed(difference(error(codes::profile_not_found, {}), &stored->profile));
  s.notices.settings_changed(in.who().tenant);
  auto made = shown(s.llm.models(), std::move(*stored));
  co_return answered<shown_profile>(std::move(made), false);
}

asio::awaitable<result<shown_profile>> put_model_profile(services& s, admitted& in,
                                                         llm::model_profile profile,
                                                         std::string if_match) {
  models::model_registry::condition only;
  only.if_match = std::move(if_match);
  models::model_registry::keeper usual;
  const auto before = s.llm.models().get(in.who().tenant, profile.name);
  auto stored = co_await store(s, in, std::move(profile), std::move(only), std::move(usual));
  if (!stored) co_return stored.error();
  in.changed(difference(before, &stored->profile));
  s.notices.settings_changed(in.who().tenant);
  co_return shown(s.llm.models(), std::move(*stored));
}

asio::awaitable<result<void>> delete_model_profile(services& s, admitted& in, std::string name,
                                                   std::string if_match) {
  models::model_registry::condition only;
  only.if_match = std::move(if_match);
  const auto before = s.llm.models().get(in.who().tenant, name);
  auto remove = [&models = s.llm.models(), tenant = in.who().tenant, name = std::move(name), only] {
    return models.remove(tenant, name, only);
  };
  auto removed = co_await on_writes(s, in.who().tenant, remove);
  if (!removed) co_return removed;
  in.changed(difference(before, nullptr));
  s.notices.settings_changed(in.who().tenant);
  co_return removed;
}

}  // namespace soma::app
