// With whose identity a stream was opened, in a few bytes: a stream ends with it, and with the
// sight of what it shows. Pure values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/visibility.hpp"
#include "http/net/request_context.hpp"
#include "security/identity/identity.hpp"

namespace soma::http {

struct stream_owner {
  // Hashes: two that are equal by accident end a stream too early, and it is opened again.
  std::uint64_t key = 0, cookie = 0;  // 0: none
  std::int64_t expires_at_ms = 0;     // 0: no end
  std::uint64_t person = 0;           // of the tenant's user; 0: not asked for
  std::int64_t judged_at_ms = 0;      // when it was asked who this is; of who is gone, since when
  bool sees_all = false;              // of the tenant's sessions

  static std::uint64_t hash_of(std::string_view text) {
    return text.empty() ? 0 : std::hash<std::string_view>{}(text);
  }
  static std::uint64_t person_of(const tenant_id& tenant, std::string_view user) {
    return user.empty() ? 0 : hash_of(tenant.value + '\n' + std::string(user));
  }
  static stream_owner of(const app::caller& who) {
    return {hash_of(who.key_id), hash_of(who.cookie_hash),
            who.expires_at_ms,   person_of(who.tenant, who.user.value),
            who.judged_at_ms,    app::sees_all(who)};
  }
  // `at_ms`: by the clock of caller::judged_at_ms.
  static stream_owner of(const security::gone_identity& gone, std::int64_t at_ms) {
    return {hash_of(gone.key_id), hash_of(gone.cookie_hash), 0,
            person_of(gone.tenant, gone.user.value), at_ms};
  }
  // A key or a sign-in is gone for good; a user may come in again, as what he may do now.
  bool goes_with(const stream_owner& gone) const {
    return (gone.key != 0 && key == gone.key) || (gone.cookie != 0 && cookie == gone.cookie) ||
           (gone.person != 0 && person == gone.person && judged_at_ms <= gone.judged_at_ms);
  }
};

// Who sees a session, as streams know people.
struct session_audience {
  bool is_open = false;  // to all of the tenant
  std::vector<std::uint64_t> people{};

  static session_audience of(const tenant_id& tenant, const app::session_fact& fact) {
    session_audience out;
    out.is_open = fact.shared.visible_to_tenant;
    for (const auto& user : fact.shared.users)
      out.people.push_back(stream_owner::person_of(tenant, user));
    if (!fact.owner.empty()) out.people.push_back(stream_owner::person_of(tenant, fact.owner));
    return out;
  }
  bool has(const stream_owner& who) const {
    return is_open || who.sees_all ||
           (who.person != 0 && std::find(people.begin(), people.end(), who.person) != people.end());
  }
};

}  // namespace soma::http
