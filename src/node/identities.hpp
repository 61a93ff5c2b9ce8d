// Who may use a node: keys, sign-ins of browsers, tickets of streams, and the authenticator over
// them. Thread-safe; lifetime: the store outlives it.
#pragma once

#include <memory>

#include "core/config.hpp"
#include "node/store.hpp"
#include "security/identity/api_keys.hpp"
#include "security/identity/authenticator.hpp"
#include "security/identity/browser_sessions.hpp"
#include "security/identity/sign_in_token.hpp"
#include "security/identity/ticket.hpp"
#include "security/identity/users.hpp"

namespace soma {

class node_identities {
 public:
  // Blocks on the store, whose errors it has.
  static result<std::unique_ptr<node_identities>> open(const config& settings, node_store& store);

  security::key_store& keys() { return keys_; }
  security::browser_sessions& browsers() { return browsers_; }
  security::user_store& users() { return users_; }
  const security::ticket_office& tickets() const { return tickets_; }
  security::sign_in_token& sign_in() { return sign_in_; }
  security::authenticator& authenticator() { return authenticator_; }
  // Whether anyone could get in, with a key or by a provider, when the node was started.
  bool has_keys() const { return has_keys_; }

 private:
  node_identities(const config& settings, node_store& store, bool has_keys);

  const bool has_keys_;
  security::key_store keys_;
  security::browser_sessions browsers_;
  security::user_store users_;
  const security::ticket_office tickets_;
  security::sign_in_token sign_in_;
  security::authenticator authenticator_;
};

}  // namespace soma
