#include "http/stream/log_chunk.hpp"

#include <algorithm>
#include <utility>

#include "core/chunked.hpp"
#include "core/codes.hpp"
#include "core/session_feed.hpp"
#include "http/stream/sse_frame.hpp"

namespace soma::http {
namespace {

using outcome = log_chunk::outcome;

// What a frame has beside its event, about.
constexpr std::size_t frame_head_bytes = 80;

outcome outcome_of(const error& e) {
  return e.code == codes::session_not_found ? outcome::deleted : outcome::failed;
}

// Whether events are missing that a reader without a type filter should have seen.
bool has_gap(const app::event_page& page, const chunk_request& request, std::uint64_t reached,
             std::uint64_t compact_seq) {
  if (page.end && reached < request.head_seq) return true;
  if (request.types != 0) return false;
  std::uint64_t previous = request.after_seq;
  for (const app::stored_event& event : page.events) {
    if (event.id.seq != previous + 1 && event.id.seq > compact_seq) return true;
    previous = event.id.seq;
  }
  return previous < reached && reached >= compact_seq;
}

}  // namespace

log_chunk read_chunk(const app::log_reader& log, const chunk_request& request) {
  log_chunk chunk;
  auto fail = [&chunk](outcome what) { return chunk.what = what, std::move(chunk); };

  // The head is read first: what it counts the page must have, unless a reset, a deletion or a
  // compaction came between, and that a second look at the head tells.
  auto head = log.head(request.key);
  if (!head) return fail(outcome_of(head.error()));
  if (request.after_seq + 1 < head->first_seq) return fail(outcome::reset);
  app::read_options options;
  options.after_seq = request.after_seq;
  options.compact = request.compact;
  options.types = request.types;
  options.bytes_max = request.bytes_max;
  const auto page = log.read(request.key, options);
  if (!page) return fail(outcome_of(page.error()));

  std::uint64_t reached = std::max(page->scanned_seq, request.after_seq);
  if (page->end) reached = std::max(reached, head->seq);
  if (!page->events.empty()) reached = std::max(reached, page->events.back().id.seq);
  if (request.types != 0 || has_gap(*page, request, reached, head->compact_seq)) {
    head = log.head(request.key);
    if (!head) return fail(outcome_of(head.error()));
    if (request.after_seq + 1 < head->first_seq) return fail(outcome::reset);
    if (has_gap(*page, request, reached, head->compact_seq)) return fail(outcome::gap);
  }

  chunk.what = outcome::frames;
  chunk.first_seq = head->first_seq;
  std::uint64_t sent = request.after_seq;
  std::size_t bytes = 0;
  for (const app::stored_event& event : page->events) bytes += event.json.size();
  chunk.bytes.reserve(bytes + page->events.size() * frame_head_bytes);
  for (const app::stored_event& event : page->events) {
    const auto place = request.chunked ? begin_chunk(chunk.bytes) : 0;
    append_event_frame(chunk.bytes, event.id, event.type, event.json);
    if (request.chunked) end_chunk(chunk.bytes, place);
    ++chunk.frames;
    sent = event.id.seq;
    chunk.closes = event.type == event_type::session_close;
    if (chunk.closes) break;
  }
  chunk.reached_seq = chunk.closes ? sent : reached;
  chunk.at_end = page->end && !chunk.closes;
  const event_id position{head->epoch_of(chunk.reached_seq), chunk.reached_seq};
  if (sent < position.seq && position.epoch != 0) {
    const auto block = position_block(position);
    chunk.bytes += request.chunked ? as_chunks(block) : block;
  }
  return chunk;
}

}  // namespace soma::http
