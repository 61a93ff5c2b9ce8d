// What an append does to a session's head, whatever store keeps it. Pure; shared by both logs, so
// that they cannot disagree. Private to storage.
#pragma once

#include <optional>

#include "core/codes.hpp"
#include "storage/event_log.hpp"

namespace soma::storage {

// The head after `op`, or why it is refused. `before`: null when the session does not exist;
// `staged_seq`: the last event that is staged for it, if any.
result<session_head> next_head(const session_head* before, std::optional<std::uint64_t> staged_seq,
                               const append_op& op, std::uint32_t epoch,
                               std::size_t event_bytes_max);

// Why `fresh` is refused by the record of its key that is kept, if it is.
std::optional<error> taken_by(const idempotency_record& kept, const idempotency_record& fresh);

// Whether `read` shows an event of this type and seq.
bool shows(const read_options& options, const session_head& head, event_type type,
           std::uint64_t seq);

// An event as it is given out: what an older version wrote in a way that is no JSON is put right.
std::string readable(std::string_view json);

// A cursor is the place of the last row shown: its time, a dash, its session. A place, not a row:
// the row may have moved or gone.
struct list_place {
  std::int64_t updated_at_ms = 0;
  session_id session;
};
std::string list_cursor(const session_row& last);
std::optional<list_place> parse_list_cursor(std::string_view cursor);
error bad_cursor();
// What a row takes in a list, about.
std::size_t list_bytes(const session_row& row);

// A page of a list, made of the rows in their order.
class list_page_maker {
 public:
  explicit list_page_maker(const session_list_options& options) : options_(options) {}

  // False: the page ends before this row.
  bool take(session_row row);
  session_list_page page() && { return std::move(page_); }

 private:
  const session_list_options& options_;
  session_list_page page_;
  session_row last_;
  std::size_t looked_at_ = 0, bytes_ = 0;
};

// "a" is in "Bär and Fox": ASCII letters compare without case, other bytes as they are.
bool title_contains(std::string_view title, std::string_view part);

}  // namespace soma::storage
