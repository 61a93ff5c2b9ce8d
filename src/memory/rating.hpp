// What was said of an answer, for SomaBrain: the row of the outbox that names it, and the two texts
// it is about, read from the log of its session. The record itself is a document
// (storage/feedback_rows.hpp); a row that is taken twice or late leads to what it says then.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/event.hpp"
#include "core/ids.hpp"
#include "storage/event_log.hpp"
#include "storage/feedback_rows.hpp"

namespace soma::memory {

struct rating {
  session_key key;
  std::string message_id, user;
  bool operator==(const rating&) const = default;
};

storage::outbox_row to_outbox(const rating& of);
std::optional<rating> read_rating(std::string_view payload);  // none: the row is of something else

// What an event that is feedback leaves: its record, and where it is `replicated` its row. What is
// none adds nothing.
void add_feedback(storage::append_op& op, const event& e, bool replicated);

struct rated_turn {
  std::string query, response, data_json;  // what was asked, what was rated, what was said of it
};
// None: the record or the answer is there no more. Blocks; errors of the store.
result<std::optional<rated_turn>> read_rated(const storage::event_log& log, const rating& of);

}  // namespace soma::memory
