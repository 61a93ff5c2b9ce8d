#include "actors/tenant_registry.hpp"

#include "actors/tenant.hpp"

namespace soma::actors {

tenant_registry_actor::behavior_type tenant_registry(
    tenant_registry_actor::stateful_pointer<tenant_registry_state> self, node_services* node) {
  return {
      [self, node](const tenant_request& request) {
        auto& found = self->state.tenants[request.tenant];
        // Linked: a tenant's timer keeps it alive, so it has to be told of the end. One that fails
        // takes the registry, and with it the server, along: none of its sessions can be reached.
        if (!found) found = self->spawn<caf::linked>(tenant, node, request.tenant);
        return tenant_found{found};
      },
      [self](const ownership_changed& m) {
        for (auto& [id, actor] : self->state.tenants) self->send(actor, m);
      },
      [self](const shut_down&) {
        auto answer = self->make_response_promise<all_ended>();
        auto& state = self->state;
        state.ending = state.tenants.size();
        if (state.ending == 0) answer.deliver(all_ended{});
        auto one_ended = [self, answer]() mutable {
          if (--self->state.ending == 0) answer.deliver(all_ended{});
        };
        for (auto& [id, actor] : state.tenants)
          self->request(actor, caf::infinite, shut_down{})
              .then([one_ended](const all_ended&) mutable { one_ended(); },
                    [one_ended](caf::error&) mutable { one_ended(); });
        return answer;
      },
  };
}

}  // namespace soma::actors
