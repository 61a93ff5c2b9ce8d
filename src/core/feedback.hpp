// What a reader says of an answer, as the data of an `app.event`: {message_id,rating,tags,comment}.
// Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace soma {

// Names of `app.event` that begin so are the server's own.
inline constexpr std::string_view reserved_event_prefix = "soma.";
inline constexpr std::string_view feedback_event = "soma.feedback";

struct feedback {
  std::string message_id;  // of a message.assistant
  std::string rating;      // helpful, not_helpful
  std::vector<std::string> tags;
  std::string comment;
};

std::string encode(const feedback& said);

// The message that feedback is about; empty when the data names none.
std::string feedback_message(std::string_view data_json);

// The same feedback about the copy of its message. Data of another shape stays as it is.
std::string feedback_of_copy(std::string_view data_json,
                             const std::function<std::string(std::string_view)>& rename);

}  // namespace soma
