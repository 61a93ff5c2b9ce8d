// Use cases of who may come in: a browser that signs in and out, API keys. Each runs on its
// caller's io thread.
//
// Errors: those of the store, server.busy, and what stands at each.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/once.hpp"
#include "app/pipeline.hpp"
#include "core/secret.hpp"
#include "security/identity/api_keys.hpp"

namespace soma::app {

class services;
using security::api_key;

// What a browser brings to be let in; one of the two secrets.
struct login_proof {
  secret_string token;  // of a sign-in link
  secret_string key;    // an API key, or the admin key
  std::string peer;     // its address: failures are counted by it
};
struct browser_login {
  tenant_id tenant;
  user_id user;
  app::role role = app::role::user;
  secret_string session;  // the token that its cookie carries
};
// Recorded, also where it fails. Errors: auth.required, auth.invalid, quota.exceeded.
boost::asio::awaitable<result<browser_login>> login(services& s, const caller& who, login_proof by);
// Of a header without one of our cookies: nothing is done. Where the browser goes to sign out at
// the provider that let it in; empty where none did.
boost::asio::awaitable<result<std::string>> logout(services& s, const caller& who,
                                                   std::string cookie_header);

// Values of Set-Cookie: one that carries a session, and one that clears those that were brought.
std::string session_cookie(const services& s, const secret_string& session);
std::string cleared_cookie(const services& s, std::string_view cookie_header);

// Oldest first.
boost::asio::awaitable<result<std::vector<api_key>>> list_keys(services& s, const caller& who);

struct key_wish {
  std::string name;
  user_id user;  // whom it speaks for; empty: who makes it
  app::role role = app::role::user;
  std::optional<std::int64_t> expires_at_ms;  // none: never
};
struct created_key {
  api_key key;
  secret_string text;  // empty in a replay: it is kept nowhere
};
// Of the caller's tenant. Errors: request.invalid, policy.denied where it would speak for another
// and its maker is no admin, those of the idempotency gate.
boost::asio::awaitable<result<answered<created_key>>> create_key(services& s, admitted& in,
                                                                 once_key once, key_wish wanted);
// Errors: key.not_found.
boost::asio::awaitable<result<void>> delete_key(services& s, const admitted& in, std::string id);

// Where the caller is signed in with a browser.
struct sign_in {
  std::string id;
  std::int64_t created_at_ms = 0;  // 0: not known
  std::int64_t expires_at_ms = 0;
  bool is_this = false;  // it is what the caller asks with
};
// The newest first.
boost::asio::awaitable<result<std::vector<sign_in>>> list_sign_ins(services& s, const caller& who);
// Signs it out, with all that is open for it; without an id all of them. Recorded. Errors:
// sign_in.not_found.
boost::asio::awaitable<result<void>> close_sign_in(services& s, const caller& who, std::string id);
boost::asio::awaitable<result<void>> close_sign_ins(services& s, const caller& who);

}  // namespace soma::app
