#include "app/users.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <thread>

#include "app/identity_watches.hpp"
#include "app/on_longer.hpp"
#include "app/on_writes.hpp"
#include "app/services.hpp"
#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "security/identity/authenticator.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

// Of a tenant's sessions so many are counted, in pieces, so that others on the lane have a turn.
constexpr std::size_t sessions_counted_max = 1'000'000, counted_at_once = 5000;

// The operator, who comes by the key of the configuration and by the sign-in link.
constexpr std::string_view operator_name = "admin";

using users_by_id = std::map<user_id, shown_user>;

shown_user& one_of(users_by_id& all, const user_id& user) {
  auto& one = all[user];
  one.user = user;
  return one;
}

// Whoever may come in, or could.
result<users_by_id> known_users(services& s, const tenant_id& tenant, std::int64_t now) {
  users_by_id all;
  const auto may = [](shown_user& one, security::role r) {
    if (r == security::role::admin) one.role = role::admin;
  };
  auto keys = s.keys.list(tenant);
  if (!keys) return keys.error();
  for (const auto& key : *keys) {
    auto& one = one_of(all, key.user);
    one.last_seen_at_ms = std::max(one.last_seen_at_ms, key.last_used_at_ms);
    if (key.expires_at_ms != 0 && now >= key.expires_at_ms) continue;
    ++one.keys;
    may(one, key.role);
  }
  auto browsers = s.browsers.list(tenant, nullptr, now);
  if (!browsers) return browsers.error();
  for (const auto& signed_in : *browsers) may(one_of(all, signed_in.who.user), signed_in.who.role);
  if (tenant.value == operators_tenant)
    one_of(all, user_id(std::string(operator_name))).role = role::admin;
  auto kept = s.users.list(tenant);
  if (!kept) return kept.error();
  for (const auto& record : *kept) {
    auto& one = one_of(all, record.user);
    one.disabled = record.disabled;
    one.last_seen_at_ms = std::max(one.last_seen_at_ms, record.last_seen_at_ms);
    if (record.role) one.role = *record.role == security::role::admin ? role::admin : role::user;
  }
  return all;
}

// The next of the sessions, counted for their owners; where to go on, empty at the end.
result<std::string> count_some(services& s, const tenant_id& tenant, std::string cursor,
                               users_by_id& all) {
  session_list_options options;
  options.cursor = std::move(cursor);
  options.looked_at_max = counted_at_once;
  options.shows = [&all](const session_info& info) {
    if (!info.user_id.empty()) ++one_of(all, user_id(info.user_id)).sessions;
    return false;
  };
  auto page = s.node.log.list(tenant, options);
  if (!page) return page.error();
  return std::move(page->next_cursor);
}

// What of him is another.
std::string difference(const shown_user& before, const shown_user& now) {
  std::string out;
  json_writer w(out);
  w.begin_object();
  if (before.disabled != now.disabled) {
    w.key("disabled").begin_object().field_bool("from", before.disabled);
    w.field_bool("to", now.disabled).end_object();
  }
  if (before.role != now.role) {
    w.key("role").begin_object().field("from", to_string(before.role));
    w.field("to", to_string(now.role)).end_object();
  }
  w.end_object();
  return out;
}

asio::awaitable<result<std::shared_ptr<users_by_id>>> users_of(services& s, tenant_id tenant) {
  auto look = [&s, tenant] { return known_users(s, tenant, now_ms()); };
  auto known = co_await on_longer(s, tenant, std::move(look));
  if (!known) co_return known.error();
  const auto all = std::make_shared<users_by_id>(std::move(*known));
  std::string cursor;
  for (std::size_t counted = 0; counted < sessions_counted_max; counted += counted_at_once) {
    auto count = [&s, tenant, cursor, all] { return count_some(s, tenant, cursor, *all); };
    auto next = co_await on_longer(s, tenant, std::move(count));
    if (!next) co_return next.error();
    cursor = std::move(*next);
    if (cursor.empty()) break;
  }
  co_return all;
}

}  // namespace

asio::awaitable<result<users_page>> list_users(services& s, const caller& who, std::string cursor,
                                               std::size_t limit) {
  auto all = co_await users_of(s, who.tenant);
  if (!all) co_return all.error();
  users_page page;
  const auto& users = **all;
  auto at = cursor.empty() ? users.begin() : users.upper_bound(user_id(cursor));
  for (; at != users.end() && page.users.size() < limit; ++at) page.users.push_back(at->second);
  if (at != users.end() && !page.users.empty()) page.next_cursor = page.users.back().user.value;
  co_return page;
}

asio::awaitable<result<shown_user>> change_user(services& s, admitted& in, user_id user,
                                                user_wish wanted) {
  const auto tenant = in.who().tenant;
  const bool may_less = wanted.disabled.value_or(false) || wanted.role == role::user;
  if (user == in.who().user && may_less)
    co_return error(codes::request_invalid, "nobody takes away from himself what he may do");
  auto all = co_await users_of(s, tenant);
  if (!all) co_return all.error();
  const auto there = (*all)->find(user);
  if (there == (*all)->end())
    co_return error(codes::user_not_found, "nobody of this tenant has that user_id");
  const auto before = there->second;
  auto shown = before;
  security::user_change change;
  change.disabled = wanted.disabled;
  if (wanted.role)
    change.role = *wanted.role == role::admin ? security::role::admin : security::role::user;
  auto work = [&s, tenant, user, change] {
    auto changed = s.identities.change_user(tenant, user, change);
    s.watches.gone(changed.gone);
    // Whoever was judged in the millisecond of it counts as judged before: a user who may come in
    // again, and does when he hears of it, is judged in a later one.
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return std::move(changed.now);
  };
  auto now = co_await on_writes(s, tenant, std::move(work));
  if (!now) co_return now.error();
  shown.disabled = now->disabled;
  if (now->role) shown.role = *now->role == security::role::admin ? role::admin : role::user;
  in.changed(difference(before, shown));
  co_return shown;
}

}  // namespace soma::app
