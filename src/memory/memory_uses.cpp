// Where a memory was used.
#include <charconv>
#include <map>

#include "core/codes.hpp"
#include "memory/memories.hpp"

namespace soma::memory {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t session_bytes_max = 200;

error bad_cursor() {
  return error(codes::request_invalid_parameter, "the cursor is none of this list").about("cursor");
}

// Takes the digits before a dot off its beginning.
template <class Number>
bool take_number(std::string_view& text, Number& out) {
  const auto* end = text.data() + text.size();
  const auto [last, wrong] = std::from_chars(text.data(), end, out);
  if (wrong != std::errc() || last == end || *last != '.' || text.front() == '-') return false;
  text.remove_prefix(static_cast<std::size_t>(last - text.data()) + 1);
  return true;
}

std::optional<index_reader::use_place> parse_place(std::string_view cursor) {
  index_reader::use_place place;
  if (!take_number(cursor, place.at_ms) || !take_number(cursor, place.seq)) return std::nullopt;
  if (cursor.empty() || cursor.size() > session_bytes_max) return std::nullopt;
  place.session = cursor;
  return place;
}

std::string cursor_of(const use_row& use) {
  return std::to_string(use.at_ms) + '.' + std::to_string(use.seq) + '.' + use.session;
}

// Sessions as the log has them now, each asked once: the index may not have heard yet that one is
// gone or was reset.
class sessions_seen {
 public:
  sessions_seen(const storage::event_log& log, const session_sight* sessions, const viewer& who)
      : log_(log), who_(who), sight_(sessions, who) {}

  result<bool> shows(const use_row& use) {
    auto at = known_.find(use.session);
    if (at == known_.end()) {
      auto from = first_seq_of(use.session);
      if (!from) return from.error();
      at = known_.emplace(use.session, *from).first;
    }
    return at->second && use.seq >= *at->second;
  }

 private:
  // None: it is not there, cannot be read, or is not his to see.
  result<std::optional<std::uint64_t>> first_seq_of(const std::string& session) {
    using answer = std::optional<std::uint64_t>;
    const auto head = log_.head({who_.tenant, session_id(session)});
    if (!head && head.error().code == codes::storage_unavailable) return head.error();
    if (!head || !sight_(head->info.user_id, session)) return answer();
    return answer(head->first_seq);
  }

  const storage::event_log& log_;
  const viewer& who_;
  sight sight_;
  std::map<std::string, std::optional<std::uint64_t>> known_;
};

}  // namespace

result<use_page> memories::uses(const viewer& who, std::string_view id, std::string_view cursor,
                                std::size_t limit) const {
  index_reader::use_place behind;
  if (!cursor.empty()) {
    auto place = parse_place(cursor);
    if (!place) return bad_cursor();
    behind = std::move(*place);
  }
  if (auto there = look_up(who, id); !there) return there.error();
  const auto now = clock::now();
  index_.catch_up(now + std::chrono::milliseconds(limits_.catch_up_ms));
  if (auto why = index_.uses_degraded(); !why.empty())
    return error(codes::storage_unavailable, std::move(why), 1);
  auto reader = index_.read();
  if (!reader) return index_failed(reader.error());
  if (auto ok = (*reader)->begin(now + std::chrono::milliseconds(limits_.search_ms)); !ok)
    return index_failed(ok.error());
  auto known = (*reader)->uses(who.tenant, id, behind, uses_max);
  (*reader)->end();
  if (!known) return index_failed(known.error());
  use_page page;
  sessions_seen sessions(log_, sessions_, who);
  for (auto& use : *known) {
    auto shown = sessions.shows(use);
    if (!shown) return shown.error();
    if (!*shown) continue;
    if (page.uses.size() == limit) {
      page.next_cursor = cursor_of(page.uses.back());
      break;
    }
    page.uses.push_back(std::move(use));
  }
  return page;
}

}  // namespace soma::memory
