// A conversation as every door and every stream shows it, and as answers about one are kept. Pure.
#pragma once

#include <string>
#include <string_view>

#include "app/conversations.hpp"

namespace soma::app {

std::string conversation_json(const session_id& id, const session_info& info,
                              event_id last_event_id);

result<conversation> parse_conversation(std::string_view json);  // storage.corrupt

}  // namespace soma::app
