#include "http/tenant_stream.hpp"

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/problem.hpp"
#include "http/sse_frame.hpp"

namespace soma::http {

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

response stream_response(gateway& g, const request_context& ctx, stream_request stream) {
  stream.owner = stream_owner::of(ctx.identity);
  // A HEAD opens none.
  if (ctx.verb == verb::get && !(stream.place = g.places.enter(ctx.identity.tenant)))
    return problem(error(codes::quota_exceeded, "the tenant has as many streams as it may", 5),
                   ctx);
  response answer;
  answer.content_type = "text/event-stream";
  answer.headers.emplace_back("X-Accel-Buffering", "no");
  auto request = std::make_shared<stream_request>(std::move(stream));
  answer.takeover = [&g, request](taken_socket&& taken) {
    request->response_head = std::move(taken.head);
    request->chunked = taken.chunked;
    g.hubs[taken.io_thread]->open(std::move(taken.socket), *request, std::move(taken.slot));
  };
  return answer;
}

}  // namespace soma::http
