#include "http/stream/sse_frame.hpp"

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"

namespace soma::http {
namespace {

// "event: <type>\ndata: {…,"payload":<payload>}\n\n" without an id.
std::string frame_without_id(std::string_view type, std::string_view session, std::int64_t now_ms,
                             std::string_view payload, std::string_view from = {}) {
  std::string out = "event: ";
  out.append(type).append("\ndata: ");
  json_writer json(out);
  json.begin_object();
  json.field_if("from", from);
  json.field("version", "v1").key("meta").begin_object();
  json.field_if("session_id", session).field("created_at", format_rfc3339(now_ms)).end_object();
  json.field("type", type).key("payload").raw(payload).end_object();
  return out.append("\n\n");
}

}  // namespace

std::string retry_block(unsigned retry_ms) {
  return "retry: " + std::to_string(retry_ms) + "\n\n";
}

std::string position_block(event_id id) {
  return "id: " + to_string(id) + "\n\n";
}

std::string heartbeat_frame(const session_id& session, std::int64_t now_ms) {
  return frame_without_id("heartbeat", session.value, now_ms, "{}");
}

std::string stream_reset_frame(const session_id& session, std::int64_t now_ms,
                               std::optional<event_id> from) {
  if (!from) return frame_without_id("stream.reset", session.value, now_ms, "{}");
  const std::string id = to_string(*from);
  return "id: " + id + "\n" +
         frame_without_id("stream.reset", session.value, now_ms, "{\"from\":\"" + id + "\"}", id);
}

std::string session_close_frame(const session_id& session, std::int64_t now_ms,
                                std::string_view reason) {
  return frame_without_id("session.close", session.value, now_ms,
                          "{\"reason\":\"" + std::string(reason) + "\"}");
}

std::string ephemeral_frame(std::string_view type, std::int64_t now_ms,
                            std::string_view payload_json) {
  return frame_without_id(type, {}, now_ms, payload_json);
}

result<std::uint32_t> parse_types(std::string_view list) {
  std::uint32_t mask = 1u << static_cast<unsigned>(event_type::session_close);
  for (;;) {
    const std::size_t comma = list.find(',');
    const auto name = list.substr(0, comma);
    const auto type = parse_event_type(name);
    // Names that stand in a stream without being of an event in the log: those always come.
    const bool of_stream = name == "stream.reset" || name == "heartbeat";
    if (!type && !of_stream)
      return error(codes::request_invalid_parameter, "types names a type that no event has")
          .about("types");
    if (type) mask |= 1u << static_cast<unsigned>(*type);
    if (comma == std::string_view::npos) return mask;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace soma::http
