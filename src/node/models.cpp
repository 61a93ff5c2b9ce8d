#include "node/models.hpp"

#include <algorithm>
#include <utility>

#include "core/byte_budget.hpp"
#include "core/time.hpp"
#include "llm/name_lookup.hpp"
#include "llm/provider_health.hpp"
#include "llm/wire_form.hpp"

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

llm::client_options client_options_of(const config& settings, metrics_registry& metrics,
                                      std::size_t idle_max) {
  llm::health_rules rules;
  rules.failures_to_open = static_cast<std::uint32_t>(settings.number("llm.breaker_failures"));
  rules.open_ms = settings.number("llm.breaker_open_ms");
  llm::client_options options;
  options.pool_idle_max = idle_max / 2;
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
  options.names = std::make_shared<llm::name_lookups>();
  options.documents = std::make_shared<byte_budget>(
      static_cast<std::size_t>(settings.number("llm.documents_bytes_max")));
  return options;
}

// The schema knows no others.
security::pii::mode mode_of(const config& settings) {
  return security::pii::mode_named(settings.text("egress.pii")).value_or(security::pii::mode::deny);
}

}  // namespace

node_models::node_models(const config& settings, node_store& store, metrics_registry& metrics)
    : calls_(client_options_of(settings, metrics, store.descriptors().provider_idle_max)),
      registry_(settings, store.events()),
      ledger_(caps_of(settings)),
      usage_(
          ledger_, store.events(),
          settings.text("kafka.brokers").empty() ? std::string() : settings.text("cluster.node")),
      guard_(mode_of(settings), store.documents(), metrics),
      gateway_({settings, registry_, store.secrets().vault(), ledger_, store.audit(), metrics,
                usage_, calls_.places, calls_.documents, &guard_,
                [this, &lane = store.lanes().longer](const tenant_id& tenant,
                                                     std::function<void()> work) {
                  auto place = looked_through_.enter(tenant);
                  if (!place) return false;
                  return lane.post(app::long_turn_of(tenant),
                                   [place = std::move(place), work = std::move(work)] { work(); });
                }}),
      client_(llm::make_provider_client(calls_)) {}

result<std::unique_ptr<node_models>> node_models::open(const config& settings, node_store& store,
                                                       metrics_registry& metrics) {
  std::unique_ptr<node_models> made(new node_models(settings, store, metrics));
  if (auto loaded = made->registry_.load(); !loaded) return loaded.error();
  if (auto loaded = made->guard_.load(); !loaded) return loaded.error();
  auto restored = models::usage_store::restore(store.events(), made->ledger_, now_ms());
  if (!restored) return restored.error();
  return made;
}

llm::client_options node_models::calls(std::size_t threads) const {
  auto options = calls_;
  options.pool_idle_max = std::max<std::size_t>(1, options.pool_idle_max / threads);
  return options;
}

std::shared_ptr<const actors::model_settings> node_models::of(const tenant_id& tenant) const {
  return registry_.dialogue(tenant);
}

result<std::unique_ptr<llm::stream_handle>> node_models::start(const actors::llm_caller& who,
                                                               llm::call c, llm::stream_sink sink) {
  return gateway_.start(*client_, who, std::move(c), std::move(sink));
}

result<void> node_models::close() {
  gateway_.settle_open_calls();
  return usage_.close();
}

}  // namespace soma
