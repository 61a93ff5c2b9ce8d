#include "model_parts.hpp"

#include "core/time.hpp"
#include "observability/log.hpp"
#include "security/sealed_text.hpp"

namespace soma {
namespace {

llm::usage_caps caps_of(const config& settings) {
  llm::usage_caps caps;
  caps.tokens_a_day = static_cast<std::uint64_t>(settings.number("quota.tokens_a_day"));
  caps.cost_usd_a_day = settings.real("quota.cost_usd_a_day");
  caps.concurrent = static_cast<std::uint32_t>(settings.number("quota.concurrent"));
  caps.requests_a_minute = static_cast<std::uint32_t>(settings.number("quota.requests_a_minute"));
  return caps;
}

std::string audit_path(const config& settings) {
  const auto& file = settings.text("audit.file");
  return file.empty() ? settings.text("storage.data_dir") + "/audit.ndjson" : file;
}

}  // namespace

llm::client_options client_options_of(const config& settings) {
  llm::health_rules rules;
  rules.failures_to_open = static_cast<std::uint32_t>(settings.number("llm.breaker_failures"));
  rules.open_ms = settings.number("llm.breaker_open_ms");
  llm::client_options options;
  options.verify_tls = settings.flag("llm.verify_tls");
  options.ca_file = settings.text("llm.ca_file");
  options.health = std::make_shared<llm::provider_health>(rules);
  return options;
}

result<std::vector<secret_string>> encryption_keys(const config& settings) {
  std::vector<secret_string> keys;
  auto text = settings.secret("auth.enc_key").reveal();
  while (!text.empty()) {
    const auto comma = text.find(',');
    auto key = security::parse_encryption_key(text.substr(0, comma));
    if (!key) return key.error();
    keys.push_back(std::move(*key));
    text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
  }
  return keys;
}

model_parts::model_parts(const config& settings, storage::event_log& events,
                         store_documents& documents, std::vector<secret_string> keys,
                         std::unique_ptr<security::audit_log> audit, metrics_registry& metrics)
    : vault_(documents, std::move(keys)),
      models_(settings, events),
      ledger_(caps_of(settings)),
      audit_(std::move(audit)),
      gateway_(std::make_unique<http::llm_gateway>(
          http::llm_gateway_parts{settings, models_, vault_, ledger_, *audit_, metrics})) {}

result<std::unique_ptr<model_parts>> model_parts::make(const config& settings,
                                                       storage::event_log& events,
                                                       store_documents& documents,
                                                       metrics_registry& metrics) {
  auto keys = encryption_keys(settings);
  if (!keys) return keys.error();
  auto audit = security::open_audit_file(audit_path(settings));
  if (!audit) return audit.error();
  const bool rotates = keys->size() > 1;
  auto copy = *keys;
  std::unique_ptr<model_parts> parts(
      new model_parts(settings, events, documents, std::move(*keys), std::move(*audit), metrics));
  if (auto loaded = parts->models_.load(); !loaded) return loaded.error();
  if (auto loaded = parts->vault_.load(); !loaded) return loaded.error();
  if (auto restored = http::usage_store::restore(events, parts->ledger_, now_ms()); !restored)
    return restored.error();
  if (rotates) {  // secrets that an older key encrypts move to the first
    auto done = parts->vault_.rotate(std::move(copy));
    if (!done) return done.error();
    if (done->sealed_anew > 0)
      log(log_level::info, "secrets.rotated",
          {{"sealed_anew", static_cast<std::int64_t>(done->sealed_anew)}});
  }
  if (const auto lost = parts->vault_.unreadable(); lost > 0)
    log(log_level::error, "secrets.unreadable",
        {{"count", static_cast<std::int64_t>(lost)},
         {"reason", "GATEWAY_ENC_KEY is not the key they were encrypted under"}});
  return parts;
}

void model_parts::serve(actors::node_services& node) {
  node.model_of = [this](const tenant_id& tenant) { return models_.dialogue(tenant); };
  node.start_call = [this, &node](const actors::llm_caller& who, llm::call c,
                                  llm::stream_sink sink) {
    return gateway_->start(node.models, who, std::move(c), std::move(sink));
  };
}

void model_parts::save_by(http::usage_store::run_on_writer run) {
  usage_ = std::make_unique<http::usage_store>(ledger_, std::move(run));
  gateway_->on_usage = [this] { usage_->save_soon(); };
}

result<void> model_parts::last_save(storage::event_log& events) {
  gateway_->on_usage = nullptr;
  gateway_->settle_open_calls();
  return usage_ ? usage_->save(events) : result<void>();
}

}  // namespace soma
