// Tickets: what opens one session's stream where a browser can set neither header nor cookie. A
// ticket is its own proof (a keyed hash over what it says), so nothing is stored and it survives a
// restart. It has the role of whoever asked for it, and names the key and the browser's session;
// whoever takes it asks whether these still hold. Without both it holds until it expires.
// Thread-safe, pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/secret.hpp"
#include "security/identity/identity.hpp"

namespace soma::security {

struct ticket_claims {
  session_key key;
  user_id user;
  std::int64_t expires_at_ms = 0;
  std::string key_id{};       // of the key it was asked for with; empty: none
  std::string cookie_hash{};  // of the browser likewise
  security::role role = security::role::user;
};

class ticket_office {
 public:
  // The key of tickets is derived from the server's, so that no other hash can pass for a ticket.
  explicit ticket_office(const secret_string& server_key);

  std::string issue(const ticket_claims& claims) const;
  // Fails with ticket.invalid whatever is wrong. The identity has the ids of key and browser, their
  // holding unproved.
  result<identity> redeem(std::string_view ticket, const session_id& asked,
                          std::int64_t now_ms) const;

 private:
  secret_string key_;
};

}  // namespace soma::security
