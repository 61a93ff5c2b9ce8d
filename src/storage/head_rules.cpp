#include "storage/head_rules.hpp"

#include <algorithm>
#include <cassert>

namespace soma::storage {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::uint32_t session_head::epoch_of(std::uint64_t at_seq) const {
  if (at_seq == 0 || at_seq > seq) return 0;
  std::uint32_t found = 0;
  for (const auto& start : epochs)
    if (start.first_seq <= at_seq) found = start.epoch;
  return found;
}

result<session_head> next_head(const session_head* before, const append_op& op,
                               std::uint32_t epoch, std::size_t event_bytes_max) {
  const std::uint64_t seq = before ? before->seq : 0;
  if (seq != op.expected_seq)
    return error(codes::session_head_mismatch, "the session's log has moved on");
  for (const auto& e : op.events)
    if (e.json.size() > event_bytes_max)
      return error(codes::event_too_large, "the event is larger than the log takes");
  session_head head = before ? *before : session_head{};
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

bool shows(const read_options& options, const session_head& head, event_type type,
           std::uint64_t seq) {
  if (options.types != 0 && !(options.types & (1u << static_cast<unsigned>(type)))) return false;
  const bool fleeting = type == event_type::llm_delta || type == event_type::tool_progress;
  return !(options.compact && fleeting && seq < head.compact_seq);
}

bool title_contains(std::string_view title, std::string_view part) {
  const auto same = [](char a, char b) { return lower(a) == lower(b); };
  return std::search(title.begin(), title.end(), part.begin(), part.end(), same) != title.end();
}

}  // namespace soma::storage
