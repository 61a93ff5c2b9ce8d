#include "node/model_parts.hpp"

#include <sys/stat.h>

#include "core/codes.hpp"
#include "core/time.hpp"
#include "llm/wire_form.hpp"
#include "observability/log.hpp"
#include "security/secrets/key_file.hpp"

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

security::audit_bounds audit_bounds_of(const config& settings) {
  const auto size = [&](const char* key) {
    return static_cast<std::uint64_t>(settings.number(key));
  };
  return {size("audit.bytes_max"), size("audit.files_max"), size("storage.min_free_bytes")};
}

// A file is replaced as a whole, so another one has another inode or time.
std::string version_of(const std::string& path) {
  struct stat info {};
  if (path.empty() || ::stat(path.c_str(), &info) != 0) return {};
  return std::to_string(info.st_ino) + ' ' + std::to_string(info.st_size) + ' ' +
         std::to_string(info.st_mtim.tv_sec) + ' ' + std::to_string(info.st_mtim.tv_nsec);
}

}  // namespace

llm::client_options client_options_of(const config& settings, metrics_registry& metrics) {
  llm::health_rules rules;
  rules.failures_to_open = static_cast<std::uint32_t>(settings.number("llm.breaker_failures"));
  rules.open_ms = settings.number("llm.breaker_open_ms");
  llm::client_options options;
  options.verify_tls = settings.flag("llm.verify_tls");
  options.ca_file = settings.text("llm.ca_file");
  options.health = std::make_shared<llm::provider_health>(rules);
  llm::place_limits places;
  places.a_node = static_cast<std::size_t>(settings.number("llm.calls_max"));
  places.a_provider = static_cast<std::size_t>(settings.number("llm.provider_calls_max"));
  places.on_change = [&running = metrics.get_gauge("soma_llm_calls_running", "Calls at providers"),
                      &waiting = metrics.get_gauge("soma_llm_calls_waiting",
                                                   "Calls that wait for a place at a provider")](
                         llm::place_counts now) {
    running.set(static_cast<std::int64_t>(now.running));
    waiting.set(static_cast<std::int64_t>(now.waiting));
  };
  options.places = std::make_shared<llm::call_places>(places);
  options.forms = std::make_shared<llm::wire_forms>();
  return options;
}

result<std::vector<secret_string>> encryption_keys(const config& settings) {
  const auto& file = settings.text("auth.enc_key_file");
  const auto& listed = settings.secret("auth.enc_key");
  if (file.empty()) return security::parse_encryption_keys(listed.reveal());
  if (!listed.empty())
    return error(codes::config_invalid, "auth.enc_key and auth.enc_key_file cannot both be set");
  return security::read_key_file(file);
}

model_parts::model_parts(const config& settings, storage::event_log& events,
                         store_documents& documents, std::vector<secret_string> keys,
                         std::unique_ptr<security::audit_log> audit, metrics_registry& metrics)
    : key_file_(settings.text("auth.enc_key_file")),
      key_file_seen_(version_of(key_file_)),
      vault_(documents, std::move(keys)),
      models_(settings, events),
      ledger_(caps_of(settings)),
      audit_(std::move(audit)),
      gateway_(std::make_unique<models::llm_gateway>(
          models::llm_gateway_parts{settings, models_, vault_, ledger_, *audit_, metrics})) {}

result<std::unique_ptr<model_parts>> model_parts::make(const config& settings,
                                                       storage::event_log& events,
                                                       store_documents& documents,
                                                       metrics_registry& metrics) {
  auto keys = encryption_keys(settings);
  if (!keys) return keys.error();
  auto audit = security::open_audit_file(audit_path(settings), audit_bounds_of(settings));
  if (!audit) return audit.error();
  const bool rotates = keys->size() > 1;
  auto copy = *keys;
  std::unique_ptr<model_parts> parts(
      new model_parts(settings, events, documents, std::move(*keys), std::move(*audit), metrics));
  if (auto loaded = parts->models_.load(); !loaded) return loaded.error();
  if (auto loaded = parts->vault_.load(); !loaded) return loaded.error();
  if (auto restored = models::usage_store::restore(events, parts->ledger_, now_ms()); !restored)
    return restored.error();
  if (rotates)  // secrets that an older key encrypts move to the first
    if (auto done = parts->rotate(std::move(copy)); !done) return done.error();
  if (const auto lost = parts->vault_.unreadable(); lost > 0)
    log(log_level::error, "secrets.unreadable",
        {{"count", static_cast<std::int64_t>(lost)},
         {"reason", "auth.enc_key is not the key they were encrypted under"}});
  return parts;
}

result<void> model_parts::rotate(std::vector<secret_string> keys) {
  auto done = vault_.rotate(std::move(keys));
  if (!done) return done.error();
  if (done->sealed_anew + done->lost > 0)
    log(done->lost > 0 ? log_level::error : log_level::warn, "secrets.rotated",
        {{"sealed_anew", static_cast<std::int64_t>(done->sealed_anew)},
         {"lost", static_cast<std::int64_t>(done->lost)}});
  return {};
}

void model_parts::follow_key_file() {
  const auto seen = version_of(key_file_);
  if (seen.empty() || seen == key_file_seen_) return;
  auto keys = security::read_key_file(key_file_);
  auto done = keys ? rotate(std::move(*keys)) : result<void>(keys.error());
  if (!done) log(log_level::error, "secrets.not_rotated", {{"reason", done.error().detail}});
  // A bad file is read again when it was changed; a store that takes no writes is tried again.
  if (done || done.error().code == codes::config_invalid) key_file_seen_ = seen;
}

void model_parts::serve(actors::node_services& node) {
  models_.idempotent = [&node](std::string_view tool_id, std::string_view inputs_json) {
    return node.tools.idempotent(tool_id, inputs_json);
  };
  node.model_of = [this](const tenant_id& tenant) { return models_.dialogue(tenant); };
  node.start_call = [this, &node](const actors::llm_caller& who, llm::call c,
                                  llm::stream_sink sink) {
    return gateway_->start(node.models, who, std::move(c), std::move(sink));
  };
}

void model_parts::save_by(models::usage_store::run_on_writer run) {
  usage_ = std::make_unique<models::usage_store>(ledger_, std::move(run));
  gateway_->on_usage = [this] { usage_->save_soon(); };
}

result<void> model_parts::last_save(storage::event_log& events) {
  gateway_->on_usage = nullptr;
  gateway_->settle_open_calls();
  return usage_ ? usage_->save(events) : result<void>();
}

}  // namespace soma
