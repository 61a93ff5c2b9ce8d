// Browser sessions: a random token of 256 bits in a cookie, kept as its keyed hash with an expiry,
// so that they survive a restart and the store gives none away. Thread-safe; may block on the
// store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/secret.hpp"
#include "security/document_store.hpp"
#include "security/identity/identity.hpp"

namespace soma::security {

// What is kept of a sign-in that an OpenID provider vouched for.
struct provider_part {
  std::string issuer, subject, session;  // `sid`; may be empty
  std::string sealed{};                  // its tokens; empty: none are kept
  std::int64_t asked_at_ms = 0;          // when the provider last said who it is
};

struct browser_session {
  identity who;
  std::int64_t expires_at_ms = 0;
  std::int64_t created_at_ms = 0;  // 0: not known, of an earlier version
  std::optional<provider_part> provider{};
};

// The value of a cookie in a Cookie header; empty when it is not there.
std::string_view cookie_value(std::string_view header, std::string_view name);

class browser_sessions {
 public:
  // Of earlier versions, and of programs that bring a token of their own; read and never set.
  static constexpr std::string_view plain_cookie_name = "soma_session";

  // `documents` outlives this object.
  browser_sessions(document_store& documents, const secret_string& server_key, std::int64_t ttl_ms);

  // The token for the cookie.
  result<secret_string> open(const identity& who, std::int64_t now_ms);
  // One that a provider vouched for, which holds `ttl_ms`, and no longer than the others.
  result<secret_string> open(const identity& who, const provider_part& by, std::int64_t ttl_ms,
                             std::int64_t now_ms);
  // The provider said the same again: what is kept of it is replaced, where the session is still
  // there. Of the thread that closes sessions, so that none comes back.
  result<void> renew(std::string_view id, const provider_part& by, std::int64_t now_ms);
  // Those that hold and that a provider vouched for, of all tenants.
  result<std::vector<browser_session>> list_of_providers(std::int64_t now_ms) const;
  // auth.invalid when the token is of no session, or of one that is over.
  result<browser_session> find(std::string_view token, std::int64_t now_ms) const;
  // The same by its id, a keyed hash of the token, which is no proof of anything.
  result<browser_session> find_id(std::string_view id, std::int64_t now_ms) const;
  std::string id_of(std::string_view token) const;
  result<void> close(std::string_view token);
  // Those of a tenant that hold, or of one of its users, the newest first.
  result<std::vector<browser_session>> list(const tenant_id& tenant, const user_id* user,
                                            std::int64_t now_ms) const;
  // Errors: sign_in.not_found, also for another's.
  result<void> close_of(const tenant_id& tenant, const user_id& user, std::string_view id);
  // Deletes those that are over; called now and then.
  result<std::size_t> sweep(std::int64_t now_ms);

  // `soma_session_` and what tells this server from others of the same host: cookies know no ports.
  const std::string& cookie_name() const { return cookie_name_; }

  // Values of Set-Cookie. `secure`: under TLS, or when the server's base URL is https. What is
  // cleared is what `cookie_header` brought.
  std::string set_cookie(const secret_string& token, bool secure) const;
  std::string clear_cookie(std::string_view cookie_header, bool secure) const;
  // The session's token in a Cookie header; empty when it is not there.
  std::string_view token_in(std::string_view cookie_header) const;

 private:
  result<secret_string> put(browser_session fresh, std::int64_t ttl_ms, std::int64_t now_ms);

  document_store& documents_;
  secret_string key_;
  std::string cookie_name_;
  std::int64_t ttl_ms_;
};

}  // namespace soma::security
