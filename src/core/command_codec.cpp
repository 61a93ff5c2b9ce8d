#include "core/command_codec.hpp"

#include <simdjson.h>

#include "core/codes.hpp"
#include "core/json_writer.hpp"

namespace soma {

std::string encode(const command_reply& reply) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("event_id", to_string(reply.event));
  w.field_if("session_id", reply.session_id);
  w.field("message_id", reply.message_id).field_if("tool_call_id", reply.tool_call_id);
  w.field("title", reply.title);
  w.field("persona_id", reply.persona_id);
  w.field("created_at_ms", static_cast<std::uint64_t>(reply.created_at_ms));
  w.field("status", reply.status).field_bool("paused", reply.paused).end_object();
  return out;
}

result<command_reply> decode_command_reply(std::string_view json) {
  const error corrupt{codes::storage_corrupt, "not the answer of a command"};
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (parser.parse(simdjson::padded_string(json)).get(document)) return corrupt;
  command_reply reply;
  auto text = [&](const char* name) {
    std::string_view value;
    return document[name].get_string().get(value) ? std::string() : std::string(value);
  };
  const auto id = parse_event_id(text("event_id"));
  if (!id) return corrupt;
  reply.event = *id;
  reply.session_id = text("session_id");
  reply.message_id = text("message_id");
  reply.tool_call_id = text("tool_call_id");
  reply.title = text("title");
  reply.persona_id = text("persona_id");
  reply.status = text("status");
  std::uint64_t created = 0;
  if (!document["created_at_ms"].get_uint64().get(created))
    reply.created_at_ms = static_cast<std::int64_t>(created);
  bool paused = false;
  if (!document["paused"].get_bool().get(paused)) reply.paused = paused;
  return reply;
}

}  // namespace soma
