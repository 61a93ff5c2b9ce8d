// A sign-in by an OpenID provider from its beginning to its end, and what comes after it: the code
// flow with PKCE, refresh, sign-out at the provider and from there. It knows neither HTTP of its
// own nor where sign-ins are kept.
//
// Thread-safe; `begin`, `finish`, `renew` and `take_logout` block on the provider. Errors: those of
// provider.hpp and claims.hpp.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/secret.hpp"
#include "security/oidc/claims.hpp"
#include "security/oidc/provider.hpp"
#include "security/oidc/sign_in_state.hpp"

namespace soma::security::oidc {

inline constexpr std::size_t states_kept_max = 8192, logouts_kept_max = 8192;
inline constexpr std::size_t code_bytes_max = 4096;

struct relying_options {
  provider_options provider;
  claim_table table;
  std::vector<std::string> scopes;
  std::string page;  // URL of the page's server, without a final slash: browsers come back there
  std::int64_t skew_s = 60;
};

// What the provider's answer brings by way of the browser; what is missing is empty.
struct brought_answer {
  std::string code, state, issuer, refusal;
};

struct provider_identity {
  mapped_user who;
  std::string subject, session;  // `sid`; may be empty
  std::string id_token;
  secret_string refresh_token;  // may be empty
};

class relying_party {
 public:
  // `server_key`: of which the key of its cookies is derived.
  relying_party(relying_options options, const secret_string& server_key, http_port ask,
                std::function<std::int64_t()> now_ms);

  struct begun {
    std::string url, cookie;  // where the browser goes, and what it keeps
  };
  // `return_to`: a page path. Errors also: request.invalid_parameter, where it is none.
  result<begun> begin(std::string return_to);

  struct ended {
    provider_identity identity;
    std::string return_to;
  };
  // `cookie`: what `begin` gave, of this very browser. A state is taken once, however it ends.
  result<ended> finish(std::string_view cookie, const brought_answer& answer);

  // Who it is now, by a refresh token. auth.invalid: the provider knows him no more. Where no new
  // ID token came, `who` is empty and what was known holds.
  result<provider_identity> renew(const secret_string& refresh_token, std::string_view subject);

  // What the provider tells of who signed out there; once for each token.
  result<logout_notice> take_logout(std::string_view token);
  // Nothing could be done about it: the provider may tell it again.
  void give_back(const logout_notice& said) { logouts_.give_back(said.jti); }

  // Where a browser goes to sign out at the provider, too; empty where that is nowhere. Does not
  // block. `id_token`: of the sign-in; may be empty.
  std::string end_session_url(std::string_view id_token) const;

  void look() { provider_.look(); }
  std::string trouble() const { return provider_.trouble(); }
  const std::string& issuer() const { return options_.provider.issuer; }
  const std::string& page() const { return options_.page; }
  std::int64_t skew_s() const { return options_.skew_s; }

 private:
  std::string redirect_uri() const;
  result<provider_identity> identity_in(const tokens& got, const std::string* nonce);
  token_rules rules() const;

  const relying_options options_;
  const secret_string key_;
  const std::function<std::int64_t()> now_ms_;
  oidc::provider provider_;
  once_set states_, logouts_;
};

}  // namespace soma::security::oidc
