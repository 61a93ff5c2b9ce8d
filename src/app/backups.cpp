#include "app/backups.hpp"

#include "app/on_longer.hpp"
#include "app/services.hpp"
#include "core/codes.hpp"

namespace soma::app {

namespace asio = boost::asio;

namespace {

// A backup is of all tenants.
error not_the_operators() {
  return {codes::auth_forbidden, "backups are for admins of the operator's tenant"};
}

}  // namespace

asio::awaitable<result<backup_overview>> list_backups(services& s, const caller& who) {
  if (who.tenant.value != operators_tenant) co_return not_the_operators();
  auto work = [&keeper = s.backups]() -> result<backup_overview> {
    backup_overview out;
    out.last = keeper.now();
    auto known = keeper.list();
    if (!known && known.error().code == codes::backup_not_set_up) return out;
    if (!known) return known.error();
    out.set_up = true;
    out.known = std::move(*known);
    return out;
  };
  co_return co_await on_longer(s, who.tenant, std::move(work));
}

result<backup::keeper_status> begin_backup(services& s, const admitted& in) {
  if (in.who().tenant.value != operators_tenant) return not_the_operators();
  if (auto begun = s.backups.begin(); !begun) return begun.error();
  return s.backups.now();
}

}  // namespace soma::app
