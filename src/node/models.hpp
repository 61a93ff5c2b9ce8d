// The models of a node: the client of their providers, profiles, caps, usage, and the gateway over
// them. Sessions make their calls through it.
//
// Thread-safe but for open and close. Lifetime: what it needs outlives it, and it outlives all
// calls.
#pragma once

#include <memory>

#include "actors/node.hpp"
#include "app/lanes.hpp"
#include "core/config.hpp"
#include "core/tenant_places.hpp"
#include "llm/call_places.hpp"
#include "models/llm_gateway.hpp"
#include "models/usage_store.hpp"
#include "node/store.hpp"
#include "observability/metrics.hpp"
#include "security/pii/egress_guard.hpp"

namespace soma {

class node_models final : public actors::model_source {
 public:
  // Blocks on the store, whose errors it has.
  static result<std::unique_ptr<node_models>> open(const config& settings, node_store& store,
                                                   metrics_registry& metrics);

  models::llm_gateway& gateway() { return gateway_; }
  // Of personal data, for all that sends something away.
  security::pii::egress_guard& guard() { return guard_; }
  // For clients on that many other threads: they share places, what was learnt of providers, and as
  // many connections kept between calls as the sessions' own client has.
  llm::client_options calls(std::size_t threads) const;

  std::shared_ptr<const actors::model_settings> of(const tenant_id& tenant) const override;
  result<std::unique_ptr<llm::stream_handle>> start(const actors::llm_caller& who, llm::call c,
                                                    llm::stream_sink sink) override;

  // Profiles, and what tenants let leave, as they are stored by now: others may have written them.
  // Blocks. Errors: the store's.
  result<void> follow_documents() {
    if (auto done = registry_.load(); !done) return done;
    return guard_.load();
  }

  // At the end, when no thread runs calls any more: what is open counts as let go, and usage is
  // saved. Blocks. Errors: those of the store.
  result<void> close();

 private:
  node_models(const config& settings, node_store& store, metrics_registry& metrics);

  const llm::client_options calls_;
  models::model_registry registry_;
  llm::usage_ledger ledger_;
  models::usage_store usage_;
  security::pii::egress_guard guard_;
  // Calls that are long and looked through on the lane for that: of a tenant a quarter of what may
  // wait there.
  tenant_places looked_through_{app::store_lanes::longer_max / 4};
  models::llm_gateway gateway_;
  const std::unique_ptr<llm::llm_client> client_;  // the last: its thread tells the gateway
};

}  // namespace soma
