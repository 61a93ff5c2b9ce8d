#include "http/stream/tenant_stream.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "app/conversation_json.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/stream/sse_frame.hpp"

namespace soma::http {

std::string session_list_snapshot(const app::session_list_page& page) {
  std::string payload;
  json_writer w(payload);
  w.begin_object().key("sessions").begin_array();
  for (const auto& row : page.sessions)
    w.raw(app::conversation_json(row.session, row.head.info, row.head.last_id()));
  w.end_array().end_object();
  return ephemeral_frame("session.list", now_ms(), payload);
}

session_key own_feed_key(const app::caller& who) {
  return app::sees_all(who) ? tenant_feed_key(who.tenant)
                            : person_feed_key(who.tenant, who.user.value);
}

void publish_tenant_event(feed_registry& feeds, const tenant_id& tenant, std::string_view type,
                          std::string_view payload_json) {
  const auto followed = feeds.followed(tenant);
  if (followed.empty()) return;
  const auto frame = ephemeral_frame(type, now_ms(), payload_json);
  for (const auto& feed : followed) feed->publish_ephemeral(frame);
}

namespace {

using feed = std::shared_ptr<session_feed>;

std::string list_frame(const session_key& key, const app::session_info* info, event_id last) {
  std::string payload;
  json_writer w(payload);
  w.begin_object();
  if (info)
    w.key("session").raw(app::conversation_json(key.session, *info, last));
  else
    w.field("session_id", key.session.value).field_bool("deleted", true);
  w.end_object();
  return ephemeral_frame("session.list", now_ms(), payload);
}

// The feeds of users whom it may concern. All of a tenant's are looked through only where all see
// it: most sessions are one person's, and are written to often.
std::vector<feed> feeds_concerned(const feed_registry& feeds, const tenant_id& tenant,
                                  const app::session_fact* now, const app::session_fact* before) {
  const auto is_open = [](const auto* one) { return one && one->shared.visible_to_tenant; };
  if (is_open(now) || is_open(before)) {
    auto all = feeds.followed(tenant);
    std::erase_if(all, [](const feed& one) { return person_of(one->key().session).empty(); });
    return all;
  }
  std::vector<std::string_view> users;
  for (const auto* one : {now, before}) {
    if (!one) continue;
    if (!one->owner.empty()) users.push_back(one->owner);
    users.insert(users.end(), one->shared.users.begin(), one->shared.users.end());
    if (now && before && *now == *before) break;
  }
  std::sort(users.begin(), users.end());
  users.erase(std::unique(users.begin(), users.end()), users.end());
  std::vector<feed> found;
  for (const auto user : users)
    if (auto one = feeds.find(person_feed_key(tenant, user))) found.push_back(std::move(one));
  return found;
}

}  // namespace

void publish_session_change(feed_registry& feeds, const session_key& key,
                            const app::session_info* info, event_id last_event_id,
                            const app::session_fact* before) {
  if (!feeds.is_followed(key.tenant)) return;
  std::string entry, gone;  // made where somebody is told
  const auto tell = [&](session_feed& one, const app::session_info* what) {
    auto& frame = what ? entry : gone;
    if (frame.empty()) frame = list_frame(key, what, last_event_id);
    one.publish_ephemeral(frame);
  };
  if (const auto all = feeds.find(tenant_feed_key(key.tenant))) tell(*all, info);
  std::optional<app::session_fact> now;
  if (info) now = app::fact_of(*info);
  for (const auto& one : feeds_concerned(feeds, key.tenant, now ? &*now : nullptr, before)) {
    const auto user = person_of(one->key().session);
    if (now && app::may_see(user, *now))
      tell(*one, info);
    else if (before && app::may_see(user, *before))
      tell(*one, nullptr);
  }
}

}  // namespace soma::http
