#include "app/authentication.hpp"

#include <chrono>

#include "app/on_lane.hpp"
#include "security/identity/authenticator.hpp"

namespace soma::app {
namespace {

security::credentials view_of(const brought_proof& by) {
  return {by.authorization, by.cookie, by.ticket, by.session, by.peer};
}

std::int64_t steady_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

caller caller_from(const security::identity& who, std::int64_t judged_at_ms) {
  caller seen;
  seen.judged_at_ms = judged_at_ms;
  seen.tenant = who.tenant;
  seen.user = who.user;
  seen.key_id = who.key_id;
  seen.role = who.role == security::role::admin ? role::admin : role::user;
  seen.is_cookie = who.via == security::via::cookie;
  seen.expires_at_ms = who.expires_at_ms;
  seen.cookie_hash = who.cookie_hash;
  seen.groups = who.groups;
  return seen;
}

}  // namespace

boost::asio::awaitable<result<caller>> authenticate(security::authenticator& identities, lane& pool,
                                                    brought_proof by) {
  const auto begun_ms = steady_ms();
  auto known = identities.cached(view_of(by));
  if (!known) {
    auto judge = [&identities, by = std::move(by)] { return identities.authenticate(view_of(by)); };
    known = co_await on_lane(pool, judge);
  }
  if (!*known) co_return known->error();
  co_return caller_from(**known, begun_ms);
}

}  // namespace soma::app
