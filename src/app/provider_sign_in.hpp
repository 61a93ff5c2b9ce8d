// Signing in by an OpenID provider, and what the provider says afterwards. The use cases run on
// their caller's io thread; what waits for the provider does so on threads of its own, so that a
// provider that hangs holds up nobody but those who sign in by it.
//
// Errors: route.not_found where no provider is configured, dependency.unavailable about "oidc"
// where it is away, auth.invalid, auth.forbidden, server.busy, those of the store, and what stands
// at each.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/identities.hpp"
#include "app/lanes.hpp"
#include "core/secret.hpp"
#include "security/identity/browser_sessions.hpp"
#include "security/oidc/relying_party.hpp"

namespace soma::app {

class services;

// Where a provider is configured: one a process, made by the node, which outlives its doors.
struct provider_sign_in {
  static constexpr unsigned threads = 4;  // that wait for the provider

  security::oidc::relying_party& party;
  const std::string name;                 // as the page calls it
  const std::vector<secret_string> keys;  // that seal its tokens; none: they are not kept
  const std::int64_t holds_ms;            // how long a sign-in does
  lane waits;
  std::string asked_last{};  // of the thread that asks again: whose sign-in
  // For the metrics: who came in by it, and whose sign-in came to nothing.
  std::atomic<std::uint64_t> came_in{0}, refused{0};

  std::string seal(const security::oidc::provider_identity& who) const;
  // Empty members where nothing is kept, or no key opens it.
  struct kept_tokens {
    std::string id_token;
    secret_string refresh_token;
  };
  kept_tokens unseal(const security::provider_part& of) const;
  security::provider_part part_of(const security::oidc::provider_identity& who,
                                  std::int64_t now_ms) const;
};

// As the page calls the provider; empty: there is none. Does not block.
std::string provider_name(const services& s);
// Why nobody can sign in by it; empty: it is there. Does not block.
std::string provider_trouble(const services& s);

struct sign_in_begun {
  std::string url;     // at the provider, where the browser goes
  std::string cookie;  // value of Set-Cookie
};
// Errors also: request.invalid_parameter, where `return_to` is no path of the page.
boost::asio::awaitable<result<sign_in_begun>> begin_provider_sign_in(services& s, std::string peer,
                                                                     std::string return_to);

struct sign_in_ended {
  secret_string session;  // the token that its cookie carries
  std::string url;        // of the page
};
// A browser that comes back with the provider's answer; recorded, also where it fails. Errors also:
// quota.exceeded, for an address that failed often.
boost::asio::awaitable<result<sign_in_ended>> finish_provider_sign_in(
    services& s, const caller& by, std::string peer, std::string cookie_header,
    security::oidc::brought_answer answer);
// Where a browser goes whose sign-in came to nothing, and the cookie that ends it.
std::string page_after_failure(const services& s, std::string_view code);
std::string cleared_sign_in_cookie(const services& s);

// The provider tells that somebody signed out there: his sign-ins end with all that is open.
boost::asio::awaitable<result<void>> take_provider_logout(services& s, std::string peer,
                                                          std::string token);

// For the thread that keeps an eye on the provider. Blocks on store and provider: asks it again
// about the sign-ins that were not asked about for `older_than_ms`, as many as `most`; those that
// are not as they were, end. How many did.
struct renewals {
  std::size_t asked = 0, ended = 0;
};
renewals renew_provider_sign_ins(services& s, std::int64_t older_than_ms, std::size_t most);

}  // namespace soma::app
