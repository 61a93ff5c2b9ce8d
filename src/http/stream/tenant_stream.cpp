#include "http/stream/tenant_stream.hpp"

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

void publish_tenant_event(feed_registry& feeds, const tenant_id& tenant, std::string_view type,
                          std::string_view payload_json) {
  const auto feed = feeds.find(tenant_feed_key(tenant));
  if (!feed) return;
  feed->publish_ephemeral(ephemeral_frame(type, now_ms(), payload_json));
}

void publish_session_change(feed_registry& feeds, const session_key& key,
                            const app::session_info* info, event_id last_event_id) {
  if (!feeds.find(tenant_feed_key(key.tenant))) return;
  std::string payload;
  json_writer w(payload);
  w.begin_object();
  if (info)
    w.key("session").raw(app::conversation_json(key.session, *info, last_event_id));
  else
    w.field("session_id", key.session.value).field_bool("deleted", true);
  w.end_object();
  publish_tenant_event(feeds, key.tenant, "session.list", payload);
}

}  // namespace soma::http
