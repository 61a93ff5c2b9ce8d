#include "node/identities.hpp"

#include <utility>

#include "core/time.hpp"

namespace soma {
namespace {

// A key or a cookie is looked for again after this, in a cluster of several.
constexpr std::int64_t believed_for_ms = 1'000;

}  // namespace

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
  std::unique_ptr<node_identities> made(new node_identities(settings, store, has_keys));
  // Another node may revoke what this one knows to be good.
  if (!settings.list("cluster.peers").empty()) made->authenticator_.believe_for(believed_for_ms);
  return made;
}

}  // namespace soma
