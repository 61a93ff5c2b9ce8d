#include "app/authentication.hpp"

#include "app/on_lane.hpp"
#include "security/identity/authenticator.hpp"

namespace soma::app {
namespace {

security::credentials view_of(const brought_proof& by) {
  return {by.authorization, by.cookie, by.ticket, by.session, by.peer};
}

caller caller_from(const security::identity& who) {
  caller seen;
  seen.tenant = who.tenant;
  seen.user = who.user;
  seen.key_id = who.key_id;
  seen.role = who.role == security::role::admin ? role::admin : role::user;
  seen.is_cookie = who.via == security::via::cookie;
  seen.expires_at_ms = who.expires_at_ms;
  seen.cookie_hash = who.cookie_hash;
  return seen;
}

}  // namespace

boost::asio::awaitable<result<caller>> authenticate(security::authenticator& identities, lane& pool,
                                                    brought_proof by) {
  auto known = identities.cached(view_of(by));
  if (!known) {
    auto judge = [&identities, by = std::move(by)] { return identities.authenticate(view_of(by)); };
    known = co_await on_lane(pool, judge);
  }
  if (!*known) co_return known->error();
  co_return caller_from(**known);
}

}  // namespace soma::app
