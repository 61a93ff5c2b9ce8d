#include "actors/log_reader.hpp"

#include <algorithm>

#include "core/codes.hpp"
#include "core/may_block.hpp"
#include "observability/log.hpp"

namespace soma::actors {
namespace {

error unreadable(const session_key& key, event_id at, const error& why) {
  const auto event = to_string(at);
  log(log_level::error, "storage.damaged", {{"event_id", event}, {"detail", why.detail}},
      {{}, {}, key.session.value, key.tenant.value, {}});
  return {why.code, "session " + key.session.value + ": event " + event + ": " + why.detail};
}

using pointer = log_reader_actor::stateful_pointer<log_reader_state>;

// Nothing where there is more of it to read.
std::optional<loaded_session> some_of(log_fold& fold) {
  loaded_session loaded;
  try {
    const auto end = fold.step();
    if (end && !*end) return std::nullopt;
    if (end) {
      loaded.state = fold.state();
      loaded.pace = fold.pace();
    } else {
      loaded.failed = end.error();
    }
  } catch (const std::exception& e) {  // this session's failure, not every session's
    loaded.failed = error(codes::internal, e.what());
  }
  return loaded;
}

void read_some(pointer self) {
  auto& s = self->state;
  const auto tenant = std::move(s.turns.front());
  s.turns.pop_front();
  auto at = s.wanted.find(tenant);
  auto& first = at->second.front();
  if (auto loaded = some_of(first.fold)) {
    first.answer.deliver(std::move(*loaded));
    at->second.pop_front();
  }
  if (at->second.empty())
    s.wanted.erase(at);
  else
    s.turns.push_back(tenant);
  if (!s.turns.empty()) self->send(self, read_on{});
}

}  // namespace

log_fold::log_fold(const storage::event_log& log, session_key key)
    : log_(log), key_(std::move(key)), state_(std::make_shared<session_state>()) {
  state_->key = key_;
  state_->turns_bytes_max = kept_turns_bytes_max;
}

result<bool> log_fold::begin() {
  auto head = log_.head(key_);
  if (!head) {
    if (head.error().code == codes::session_not_found) return true;
    return head.error();
  }
  head_ = std::move(*head);
  options_.after_seq = head_->first_seq - 1;
  options_.before_seq = head_->seq + 1;  // what the state says of itself, and no more
  options_.compact = true;
  options_.types = folded_types();
  snapshot_seq_ = options_.after_seq;
  begin_from_snapshot();
  return false;
}

// Only saves time: without it the log says the same.
void log_fold::begin_from_snapshot() {
  const auto stored = log_.snapshot(key_);
  if (stored && !*stored) return;
  auto state = stored ? decode_snapshot(**stored, kept_turns_bytes_max)
                      : result<session_state>(stored.error());
  if (!state) {
    if (state.error().code != codes::storage_format)
      log(log_level::warn, "session.snapshot_unread", {{"detail", state.error().detail}},
          {{}, {}, key_.session.value, key_.tenant.value, {}});
    return;
  }
  // Of a log that this one is not: one that was cut, begun anew, or went on otherwise.
  if (state->seq > head_->seq || state->seq + 1 < head_->first_seq ||
      head_->epoch_of(state->seq) > state->epoch)
    return;
  state->key = key_;
  *state_ = std::move(*state);
  snapshot_seq_ = options_.after_seq = state_->seq;
  snapshot_bytes_ = (*stored)->size();
}

result<bool> log_fold::step() {
  if (!head_)
    if (auto none = begin(); !none || *none) return none;
  auto page = log_.read(key_, options_);
  if (!page) return page.error();
  for (const auto& stored : page->events) {
    auto e = decode(stored.json);
    if (!e) return unreadable(key_, stored.id, e.error());
    apply(*state_, *e);
    folded_bytes_ += stored.json.size();
  }
  // Stepping over a row costs nearly what folding it does.
  constexpr std::uint64_t skipped_row_bytes = 256;
  folded_bytes_ +=
      skipped_row_bytes *
      (page->scanned_seq - std::min(page->scanned_seq, options_.after_seq + page->events.size()));
  options_.after_seq = page->scanned_seq;
  if (!page->end) return false;
  // What a filtered or trimmed log does not show.
  state_->seq = head_->seq;
  state_->epoch = head_->epoch_of(head_->seq);
  state_->created_at_ms = head_->info.created_at_ms;
  return true;
}

log_reader_actor::behavior_type log_reader(pointer self, node_services* node) {
  this_thread_may_block();
  return {
      [self, node](const load_request& request) {
        auto& s = self->state;
        auto answer = self->make_response_promise<loaded_session>();
        const auto& tenant = request.key.tenant;
        if (s.turns.empty()) self->send(self, read_on{});
        if (!s.wanted.count(tenant)) s.turns.push_back(tenant);
        s.wanted[tenant].push_back({log_fold(node->log, request.key), answer});
        return answer;
      },
      [self](const read_on&) { read_some(self); },
  };
}

}  // namespace soma::actors
