// What an OpenID provider's tokens say, judged: OpenID Connect Core 3.1.3.7 for ID tokens,
// Back-Channel Logout 2.6 for logout tokens; and what their claims make of a user, by the small
// table of the configuration.
//
// Pure; thread-safe. Errors: auth.invalid for a token that does not hold, auth.forbidden for a user
// whom the table lets in nowhere; their sentences repeat nothing of a token.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "security/identity/identity.hpp"

namespace soma::security::oidc {

inline constexpr std::size_t subject_bytes_max = 255;  // as OpenID Connect says
inline constexpr std::size_t audiences_max = 16, groups_max = 256, group_bytes_max = 256;
inline constexpr std::size_t jti_bytes_max = 256;
inline constexpr std::int64_t issued_ago_s_max = 600;  // of a token that was just asked for

struct token_rules {
  std::string issuer, client_id;
  std::int64_t skew_s = 60;
};

// Of an ID token that came for a code. `nonce`: as it was sent, and the token must have it; null
// after a refresh, where none need come.
result<void> judge_id_token(const boost::json::object& claims, std::string_view typ,
                            const token_rules& rules, const std::string* nonce, std::int64_t now_s);

struct logout_notice {
  std::string subject, session;  // `sid`; one of the two may be empty
  std::string jti;
  std::int64_t issued_at_s = 0;
};
result<logout_notice> judge_logout_token(const boost::json::object& claims, std::string_view typ,
                                         const token_rules& rules, std::int64_t now_s);

// CLAIM=VALUE, or `*`, which everybody fits.
struct claim_rule {
  std::string claim, value;  // an empty claim: everybody
  tenant_id tenant;          // of rows that name one
};

struct claim_table {
  std::vector<claim_rule> tenants, admins;
  std::string groups_claim, user_claim = "sub", user_prefix = "oidc-";
};
// Errors: config.invalid, with the row that is none.
result<claim_table> read_claim_table(const std::vector<std::string>& tenants,
                                     const std::vector<std::string>& admins,
                                     std::string groups_claim, std::string user_claim,
                                     std::string user_prefix);

struct mapped_user {
  tenant_id tenant;
  user_id user;
  security::role role = security::role::user;
  std::vector<std::string> groups;

  bool operator==(const mapped_user&) const = default;
};
result<mapped_user> map_claims(const boost::json::object& claims, const claim_table& table);

// A text as a part of an id: what ids may not have, and '_', as _ and two hexadecimal digits, so
// that no two texts give one.
std::string id_part(std::string_view text);

}  // namespace soma::security::oidc
