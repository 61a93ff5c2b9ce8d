#include "app/named_user.hpp"

#include "app/on_lane.hpp"
#include "app/services.hpp"
#include "core/codes.hpp"
#include "security/identity/users.hpp"

namespace soma::app {

boost::asio::awaitable<result<void>> let_in_by_name(services& s, const caller& who) {
  auto look = [users = &s.users, tenant = who.tenant, user = who.user] {
    return users->find(tenant, user);
  };
  auto found = co_await on_lane(s.pool, look);
  if (!found) co_return found.error();
  if (found->disabled) co_return error(codes::auth_forbidden, "the user is disabled");
  co_return result<void>();
}

}  // namespace soma::app
