// The tenant-level stream: a snapshot of the session list, then its changes, without ids.
#pragma once

#include "app/log_reader.hpp"
#include "core/session_feed.hpp"

namespace soma::http {

std::string session_list_snapshot(const app::session_list_page& page);

// Tells the tenant's streams that a session's list entry changed, or went (null). Any thread.
void publish_session_change(feed_registry& feeds, const session_key& key,
                            const app::session_info* info, event_id last_event_id);

// Tells a tenant's streams anything else: `type` is settings.changed, health.changed …
void publish_tenant_event(feed_registry& feeds, const tenant_id& tenant, std::string_view type,
                          std::string_view payload_json);

}  // namespace soma::http
