// An OpenID provider as it is asked over HTTP: its discovery document, its keys, the trade of a
// code for tokens. What it says is believed only as far as OpenID Connect Discovery allows.
//
// Thread-safe; calls block on the provider, one look at its documents at a time, each for as long
// as the port's deadline. Lifetime: what `ask` and `now_ms` refer to outlives it. Errors:
// dependency.unavailable about "oidc" where the provider is away or answers nonsense, auth.invalid
// where it refuses what was brought, or a token does not hold.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/may_block.hpp"
#include "core/secret.hpp"
#include "security/oidc/jose.hpp"
#include "security/oidc/sign_in_state.hpp"

namespace soma::security::oidc {

inline constexpr std::size_t answer_bytes_max = 256 * 1024;  // of a document, keys or tokens
inline constexpr std::size_t refresh_token_bytes_max = 4096;
inline constexpr std::int64_t keys_kept_ms = 60 * 60 * 1000;  // then withdrawn ones are gone here
inline constexpr std::int64_t tried_again_ms = 2000;          // after a look that failed

struct http_request {
  std::string url, form;      // no form: GET
  std::string authorization;  // empty: none
};
struct http_reply {
  int status = 0;  // 0: there is none, also where it is longer than answer_bytes_max
  std::string body;
  std::string why;  // there is none, in a few words
};
using http_port = std::function<http_reply(const http_request&)>;

// https, or http on loopback, as an issuer may be; no user, query or fragment.
bool is_issuer(std::string_view url);

struct provider_documents {
  std::string authorization_endpoint, token_endpoint, jwks_uri;
  std::string end_session_endpoint;  // empty: none
  bool names_itself = false;         // with each answer (RFC 9207)
  bool takes_basic = true;           // of secrets: of what it says, or says nothing
};
// Errors: dependency.unavailable, in a sentence: its issuer is another, an address is none.
result<provider_documents> read_documents(std::string_view text, std::string_view issuer);

enum class token_auth : std::uint8_t { automatic, basic, post };

struct provider_options {
  std::string issuer, client_id;
  secret_string client_secret;  // empty: a public client
  oidc::token_auth token_auth = oidc::token_auth::automatic;
  std::int64_t fresh_ms = 60'000;  // so long a look at it counts
  std::int64_t jwks_refetch_ms = 60'000;
};

struct tokens {
  std::string id_token;  // may be missing after a refresh
  secret_string refresh_token;
};

class provider {
 public:
  provider(provider_options options, http_port ask, std::function<std::int64_t()> now_ms);

  // Its documents, read lately: who wants to begin a sign-in asks, and is told that it is away.
  result<std::shared_ptr<const provider_documents>> reach();
  // As they were when it was there; null: it never was. Does not block.
  std::shared_ptr<const provider_documents> last_seen() const;
  // Looks whether it is there.
  void look();

  // The trade of a code, or of a refresh token.
  result<tokens> trade(form_fields fields);

  // Its claims, where its signature is the provider's.
  result<unverified_token> verify(std::string_view token);

  // Empty: it is there, or was not looked for. Does not block.
  std::string trouble() const;

 private:
  using documents = std::shared_ptr<const provider_documents>;
  using keys = std::shared_ptr<const key_set>;
  result<documents> read_again();  // under fetch_
  result<keys> keys_now(const keys& not_these);
  error away(std::string why);

  const provider_options options_;
  const http_port ask_;
  const std::function<std::int64_t()> now_ms_;

  std::mutex fetch_;  // held over looks at the provider
  mutable quick_mutex mutex_;
  documents documents_;
  keys keys_;
  std::string trouble_;
  std::int64_t seen_at_ms_ = 0, failed_at_ms_ = 0, keys_at_ms_ = 0, keys_tried_at_ms_ = 0;
};

}  // namespace soma::security::oidc
