#include "app/conversation_json.hpp"

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"

namespace soma::app {

std::string conversation_json(const session_id& id, const session_info& info,
                              event_id last_event_id) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("session_id", id.value).field("title", info.title);
  w.field("persona_id", info.persona_id);
  w.field("created_at", format_rfc3339(info.created_at_ms));
  w.field("updated_at", format_rfc3339(info.updated_at_ms));
  w.field("last_event_id", to_string(last_event_id)).field_bool("busy", info.busy);
  w.field_bool("paused", info.paused).field("message_count", info.message_count);
  w.field_if("owner", info.user_id).field("visibility", visibility_name(info.sharing));
  w.key("shared_with").begin_array();
  for (const auto& user : info.sharing.users) w.string(user);
  w.end_array().end_object();
  return out;
}

result<conversation> parse_conversation(std::string_view json) {
  const error corrupt(codes::storage_corrupt, "not an answer about a conversation");
  boost::system::error_code ec;
  const auto value = boost::json::parse({json.data(), json.size()}, ec);
  if (ec || !value.is_object()) return corrupt;
  const auto& members = value.get_object();
  const auto last = parse_event_id(text_of(members, "last_event_id"));
  conversation c;
  c.session = session_id(text_of(members, "session_id"));
  if (!last || c.session.empty()) return corrupt;
  c.head.seq = last->seq;
  c.head.epochs = {{last->epoch, last->seq}};
  auto& info = c.head.info;
  info.title = text_of(members, "title");
  info.persona_id = text_of(members, "persona_id");
  info.user_id = text_of(members, "owner");
  info.created_at_ms = parse_rfc3339(text_of(members, "created_at"));
  info.updated_at_ms = parse_rfc3339(text_of(members, "updated_at"));
  const auto flag = [&](const char* name) {
    const auto* found = members.if_contains(name);
    return found && found->is_bool() && found->get_bool();
  };
  info.busy = flag("busy");
  info.paused = flag("paused");
  if (const auto* count = members.if_contains("message_count"); count && count->is_int64())
    info.message_count = static_cast<std::uint64_t>(count->get_int64());
  return c;
}

}  // namespace soma::app
