#include "http/stream/tenant_stream.hpp"

#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/stream/sse_frame.hpp"

namespace soma::http {

std::string session_json(const session_id& id, const storage::session_info& info,
                         event_id last_event_id) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("session_id", id.value).field("title", info.title);
  w.field("persona_id", info.persona_id);
  w.field("created_at", format_rfc3339(info.created_at_ms));
  w.field("updated_at", format_rfc3339(info.updated_at_ms));
  w.field("last_event_id", to_string(last_event_id)).field_bool("busy", info.busy);
  w.field_bool("paused", info.paused).field("message_count", info.message_count).end_object();
  return out;
}

std::string session_list_snapshot(const storage::session_list_page& page) {
  std::string payload;
  json_writer w(payload);
  w.begin_object().key("sessions").begin_array();
  for (const auto& row : page.sessions)
    w.raw(session_json(row.session, row.head.info, row.head.last_id()));
  w.end_array().end_object();
  return ephemeral_frame("session.list", now_ms(), payload);
}

void publish_tenant_event(feed_registry& feeds, const tenant_id& tenant, std::string_view type,
                          std::string_view payload_json) {
  const auto feed = feeds.find(tenant_feed_key(tenant));
  if (!feed) return;
  feed->publish_ephemeral(ephemeral_frame(type, now_ms(), payload_json));
}

void publish_session_change(feed_registry& feeds, const session_key& key,
                            const storage::session_info* info, event_id last_event_id) {
  if (!feeds.find(tenant_feed_key(key.tenant))) return;
  std::string payload;
  json_writer w(payload);
  w.begin_object();
  if (info)
    w.key("session").raw(session_json(key.session, *info, last_event_id));
  else
    w.field("session_id", key.session.value).field_bool("deleted", true);
  w.end_object();
  publish_tenant_event(feeds, key.tenant, "session.list", payload);
}

}  // namespace soma::http
