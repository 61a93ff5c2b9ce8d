// What was said of answers, as documents: one a (tenant, session, message, user), the latest wins.
// Written in the atom of the event that says it, gone in the atom that deletes or resets the
// session. Key parts are joined by a line feed, which no id has; the value is the event's data.
// Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/event.hpp"
#include "core/feedback.hpp"
#include "storage/event_log.hpp"

namespace soma::storage {

inline constexpr std::string_view feedback_collection = "feedback";

inline std::string feedback_prefix(const session_key& session) {
  return session.tenant.value + '\n' + session.session.value + '\n';
}

inline void add_feedback(std::vector<document_row>& out, const event& e) {
  const auto* said = std::get_if<body::app_event>(&e.body);
  if (!said || said->name != feedback_event) return;
  out.push_back(
      {std::string(feedback_collection),
       feedback_prefix(e.meta.key) + feedback_message(said->data_json) + '\n' + e.meta.user_id,
       said->data_json});
}

}  // namespace soma::storage
