#include "http/model_settings.hpp"

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "llm/base_url.hpp"
#include "security/sealed_text.hpp"

namespace soma::http {
namespace {

constexpr std::string_view collection = "settings", document = "model";
constexpr std::string_view bound_to = "settings/model/api_key";
constexpr std::string_view mask = "********";

std::string member(const boost::json::object& o, std::string_view name) {
  const auto* value = o.if_contains(name);
  return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

}  // namespace

result<actors::model_settings> model_settings_store::build(const model_override& stored) const {
  actors::model_settings made;
  auto& profile = made.profile;
  const auto& base_url = stored.base_url.empty() ? settings_.text("llm.base_url") : stored.base_url;
  if (!base_url.empty()) {
    auto normal = llm::normalize_base_url(base_url);
    if (!normal) return normal.error();
    profile.base_url = std::move(*normal);
  }
  profile.model = stored.model.empty() ? settings_.text("llm.model") : stored.model;
  profile.api_key = settings_.secret("llm.api_key");
  if (!stored.sealed_key.empty()) {
    auto key = security::parse_encryption_key(settings_.secret("auth.enc_key").reveal());
    if (!key) return key.error();
    auto opened = security::unseal(*key, bound_to, stored.sealed_key);
    if (!opened) return opened.error();
    profile.api_key = std::move(*opened);
  }
  profile.prefill = settings_.text("llm.resume") == "prefill";
  if (const auto t = settings_.real("llm.temperature"); t >= 0) profile.temperature = t;
  if (const auto n = settings_.number("llm.max_tokens"); n > 0)
    profile.max_tokens = static_cast<std::uint32_t>(n);
  profile.context_window = static_cast<std::uint64_t>(settings_.number("llm.context_window"));
  auto ms = [this](std::string_view key) {
    return static_cast<std::uint32_t>(settings_.number(key));
  };
  made.waits = {ms("llm.connect_timeout_ms"), ms("llm.first_token_timeout_ms"),
                ms("llm.idle_timeout_ms")};
  auto& rules = made.rules;
  rules.max_attempts = ms("turn.max_attempts");
  rules.max_steps = ms("turn.max_steps");
  rules.max_tool_calls = ms("turn.max_tool_calls");
  rules.timeout_s = ms("turn.timeout_s");
  rules.queue_max = ms("session.queue_max");
  rules.event_text_bytes_max = static_cast<std::size_t>(settings_.number("llm.answer_bytes_max"));
  rules.context_window = profile.context_window;
  rules.system_prompt = settings_.text("llm.system_prompt");
  rules.profile = profile.name;
  rules.provider = profile.provider;
  rules.model = profile.model;
  rules.prefill = profile.prefill;
  return made;
}

result<void> model_settings_store::apply_stored() {
  auto found = node_.log.get_document(collection, document);
  if (!found) return found.error();
  model_override stored;
  if (*found) {
    boost::system::error_code ec;
    const auto value = boost::json::parse(**found, ec);
    if (ec || !value.is_object())
      return error(codes::storage_corrupt, "the stored settings cannot be read");
    stored = {member(value.as_object(), "base_url"), member(value.as_object(), "model"),
              member(value.as_object(), "sealed_key")};
  }
  auto made = build(stored);
  if (!made) return made.error();
  node_.set_model(std::move(*made));
  std::lock_guard lock(mutex_);
  stored_ = std::move(stored);
  return {};
}

result<void> model_settings_store::store(const model_override& changed) {
  std::string text;
  json_writer w(text);
  w.begin_object().field("base_url", changed.base_url).field("model", changed.model);
  w.field("sealed_key", changed.sealed_key).end_object();
  return node_.log.put_document(collection, document, text);
}

result<model_view> model_settings_store::update(const model_change& change) {
  {
    std::lock_guard lock(mutex_);
    auto changed = stored_;
    if (change.base_url) changed.base_url = *change.base_url;
    if (change.model) changed.model = *change.model;
    if (change.api_key && *change.api_key != mask) {
      changed.sealed_key.clear();
      if (!change.api_key->empty()) {
        const auto& text = settings_.secret("auth.enc_key");
        if (text.empty())
          return error(codes::secret_key_missing,
                       "no secret is stored while GATEWAY_ENC_KEY is not set");
        auto key = security::parse_encryption_key(text.reveal());
        if (!key) return key.error();
        changed.sealed_key = security::seal(*key, bound_to, *change.api_key);
      }
    }
    auto made = build(changed);
    if (!made) return made.error();
    if (auto stored = store(changed); !stored) return stored.error();
    stored_ = std::move(changed);
    node_.set_model(std::move(*made));
  }
  return view();
}

model_view model_settings_store::view() const {
  const auto model = node_.model();
  return {model->profile.base_url, model->profile.model, !model->profile.api_key.empty()};
}

bool model_settings_store::rehearsal() const {
  return node_.model()->profile.model == "rehearsal";
}

}  // namespace soma::http
