// Finds or begins the actor of a tenant. Tenants live as long as the node.
#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <unordered_map>

#include "actors/interfaces.hpp"
#include "actors/node.hpp"

namespace soma::actors {

struct tenant_registry_state {
  static inline const char* name = "tenant_registry";
  std::unordered_map<tenant_id, tenant_actor> tenants;
  std::size_t ending = 0;
};

tenant_registry_actor::behavior_type tenant_registry(
    tenant_registry_actor::stateful_pointer<tenant_registry_state> self, node_services* node);

}  // namespace soma::actors
