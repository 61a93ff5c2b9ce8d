#include "storage/head_rules.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>

#include "core/json_proof.hpp"

namespace soma::storage {
namespace {

// What a row of a list weighs.
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

std::uint32_t session_head::epoch_of(std::uint64_t at_seq) const {
  if (at_seq == 0 || at_seq > seq) return 0;
  std::uint32_t found = 0;
  for (const auto& start : epochs)
    if (start.first_seq <= at_seq) found = start.epoch;
  return found;
}

result<session_head> next_head(const session_head* before, std::optional<std::uint64_t> staged_seq,
                               const append_op& op, std::uint32_t epoch,
                               std::size_t event_bytes_max) {
  if (op.publish_staged && before) return error(codes::session_busy, "the session exists already");
  if (op.publish_staged && !staged_seq)
    return error(codes::session_not_found, "nothing is staged for this session");
  if (!op.publish_staged && staged_seq)
    return error(codes::session_busy, "a copy is being staged for this session");
  session_head head = before ? *before : session_head{};
  if (staged_seq) {
    head.seq = *staged_seq;
    head.epochs.push_back({epoch, 1});
  }
  if (head.seq != op.expected_seq)
    return error(codes::session_head_mismatch, "the session's log has moved on");
  if (head.seq == 0 && op.events.empty())
    return error(codes::session_not_found, "a session begins with an event");
  for (const auto& e : op.events)
    if (e.json.size() > event_bytes_max)
      return error(codes::event_too_large, "the event is larger than the log takes");
  for (const auto& e : op.events) {
    assert(e.seq == head.seq + 1 && "events of an append are dense");
    head.seq = e.seq;
  }
  if (!op.events.empty() && (head.epochs.empty() || head.epochs.back().epoch != epoch))
    head.epochs.push_back({epoch, op.events.front().seq});
  if (op.info) head.info = *op.info;
  if (op.compact_seq) head.compact_seq = *op.compact_seq;
  if (op.first_seq) head.first_seq = *op.first_seq;
  return head;
}

std::optional<error> taken_by(const idempotency_record& kept, const idempotency_record& fresh) {
  if (kept.created_at_ms <= fresh.created_at_ms - fresh.ttl_ms) return std::nullopt;
  return error(codes::idempotency_exists, "a request with this key was carried out before")
      .about(fresh.key);
}

bool shows(const read_options& options, const session_head& head, event_type type,
           std::uint64_t seq) {
  if (options.types != 0 && !(options.types & (1u << static_cast<unsigned>(type)))) return false;
  const bool fleeting = type == event_type::llm_delta || type == event_type::tool_progress;
  return !(options.compact && fleeting && seq < head.compact_seq);
}

std::string readable(std::string_view json) {
  return json.find("Infinity") == json.npos ? std::string(json) : without_infinities(json);
}

std::size_t list_bytes(const session_row& row) {
  const auto& info = row.head.info;
  std::size_t shared = 0;
  for (const auto& user : info.sharing.users) shared += 32 + user.size();
  return 256 + info.title.size() + info.persona_id.size() + info.user_id.size() + shared;
}

std::string list_cursor(const session_row& last) {
  return std::to_string(last.head.info.updated_at_ms) + "-" + last.session.value;
}

bool list_page_maker::take(session_row row) {
  const auto& info = row.head.info;
  const bool fits =
      title_contains(info.title, options_.query) && (!options_.shows || options_.shows(info));
  auto& shown = page_.sessions;
  if (fits && (shown.size() == options_.limit || bytes_ >= options_.bytes_max)) {
    page_.next_cursor = list_cursor(options_.shows ? shown.back() : last_);
    return false;
  }
  const auto at_ms = info.updated_at_ms;
  // A cursor names no session that its reader may not see: where none that he may is the last, the
  // page ends between two moments.
  if (looked_at_ >= options_.looked_at_max &&
      (!options_.shows || at_ms != last_.head.info.updated_at_ms)) {
    page_.next_cursor = options_.shows ? std::to_string(at_ms) + "-" : list_cursor(last_);
    return false;
  }
  ++looked_at_;
  last_ = std::move(row);
  if (!fits) return true;
  bytes_ += list_bytes(last_);
  shown.push_back(last_);
  return true;
}

std::optional<list_place> parse_list_cursor(std::string_view cursor) {
  list_place place;
  const auto* end = cursor.data() + cursor.size();
  const auto [at, ec] = std::from_chars(cursor.data(), end, place.updated_at_ms);
  if (ec != std::errc{} || at == end || *at != '-') return std::nullopt;
  place.session = session_id(std::string(at + 1, end));
  return place;
}

error bad_cursor() {
  return error(codes::request_invalid_parameter, "this cursor is not one of a list")
      .about("cursor");
}

bool title_contains(std::string_view title, std::string_view part) {
  const auto same = [](char a, char b) { return lower(a) == lower(b); };
  // An empty part is found at the end of an empty title, where nothing else ever is.
  return part.empty() ||
         std::search(title.begin(), title.end(), part.begin(), part.end(), same) != title.end();
}

}  // namespace soma::storage
