// The tenant-level stream: a snapshot of the session list, then its changes, without ids. One feed
// tells of all of a tenant, for admins; each user's of what he may see.
#pragma once

#include "app/log_reader.hpp"
#include "app/visibility.hpp"
#include "core/session_feed.hpp"

namespace soma::http {

std::string session_list_snapshot(const app::session_list_page& page);

// The feed of the stream that a caller follows.
session_key own_feed_key(const app::caller& who);

// Tells the streams of those who see it that a session's list entry changed, or went (null), and
// those who saw it until now that it is gone. `before`: what was known of it; null: nothing. Any
// thread.
void publish_session_change(feed_registry& feeds, const session_key& key,
                            const app::session_info* info, event_id last_event_id,
                            const app::session_fact* before = nullptr);

// Tells a tenant's streams anything else: `type` is settings.changed, health.changed …
void publish_tenant_event(feed_registry& feeds, const tenant_id& tenant, std::string_view type,
                          std::string_view payload_json);

}  // namespace soma::http
