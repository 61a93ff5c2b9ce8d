// Tickets: what opens one session's stream where a browser can set neither header nor cookie. A
// ticket is its own proof (a keyed hash over what it says), so nothing is stored and it survives a
// restart; it cannot be revoked before it expires. Thread-safe, pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/secret.hpp"
#include "security/identity.hpp"

namespace soma::security {

struct ticket_claims {
  session_key key;
  user_id user;
  std::int64_t expires_at_ms = 0;
};

class ticket_office {
 public:
  // The key of tickets is derived from the server's, so that no other hash can pass for a ticket.
  explicit ticket_office(const secret_string& server_key);

  std::string issue(const ticket_claims& claims) const;
  // Fails with ticket.invalid whatever is wrong.
  result<identity> redeem(std::string_view ticket, const session_id& asked,
                          std::int64_t now_ms) const;

 private:
  secret_string key_;
};

}  // namespace soma::security
