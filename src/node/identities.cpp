#include "node/identities.hpp"

#include <utility>

#include "core/time.hpp"

namespace soma {

node_identities::node_identities(const config& settings, node_store& store, bool has_keys)
    : has_keys_(has_keys),
      keys_(store.documents(), store.server_key()),
      browsers_(store.documents(), store.server_key(),
                settings.number("auth.cookie_ttl_h") * 3'600'000),
      users_(store.documents()),
      tickets_(store.server_key()),
      authenticator_(
          keys_, browsers_, tickets_, settings.secret("auth.admin_key"), now_ms,
          [&lanes = store.lanes()](auto job) { lanes.writes.post(std::move(job)); }, &users_) {}

result<std::unique_ptr<node_identities>> node_identities::open(const config& settings,
                                                               node_store& store) {
  auto stored = store.events().list_documents("keys", "", 1);
  if (!stored) return stored.error();
  const bool has_keys = !settings.secret("auth.admin_key").empty() || !stored->empty() ||
                        !settings.text("oidc.issuer").empty();
  return std::unique_ptr<node_identities>(new node_identities(settings, store, has_keys));
}

}  // namespace soma
