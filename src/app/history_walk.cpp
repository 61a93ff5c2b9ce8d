#include "app/history_walk.hpp"

#include <algorithm>
#include <utility>

#include "core/codes.hpp"

namespace soma::app {
namespace {

error gone() {
  return {codes::session_not_found, "the session was reset or deleted meanwhile"};
}

constexpr std::uint32_t bit_of(event_type type) {
  return 1u << static_cast<unsigned>(type);
}

std::size_t bytes_of(const transcript_line& line) {
  auto bytes = sizeof line + line.text.size() + line.provider_state_json.size();
  for (const auto& call : line.tool_calls) bytes += sizeof call + call.inputs_json.size();
  return bytes;
}

}  // namespace

history_walk::history_walk(const storage::session_log& log, session_key key, session_head head,
                           const history_bounds& bounds)
    : log_(log), key_(std::move(key)), head_(std::move(head)), bounds_(bounds) {
  options_.after_seq = head_.first_seq - 1;
  options_.before_seq = head_.seq + 1;
  options_.compact = true;
  options_.types = folded_types();
  options_.bytes_max = bounds_.page_bytes;
}

result<std::string> history_walk::step() {
  if (phase_ == phase::reading) {
    auto done = ahead_ ? look_ahead() : read_on();
    if (!done) return done.error();
  } else if (phase_ == phase::rest) {
    tell_rest();
  } else if (phase_ == phase::waiting) {
    constexpr int at_once = 64;
    for (int n = 0; n < at_once && out_.size() < bounds_.page_bytes && !over(); ++n) {
      auto done = take_up_waiting();
      if (!done) return done.error();
      tell_rest();
    }
  }
  return std::exchange(out_, {});
}

// A log that was cut meanwhile would look like one that says less.
result<event_page> history_walk::page_of(const read_options& options) {
  auto page = log_.read(key_, options);
  if (!page) return page;
  const auto now = log_.head(key_);
  if (!now) return now.error();
  if (now->first_seq != head_.first_seq || now->seq < head_.seq) return gone();
  return page;
}

result<void> history_walk::read_on() {
  auto page = page_of(options_);
  if (!page) return page.error();
  for (const auto& stored : page->events) {
    auto e = decode(stored.json);
    if (!e) return e.error();
    if (auto taken = take(std::move(*e)); !taken) return taken;
  }
  options_.after_seq = page->scanned_seq;
  if (page->end) phase_ = phase::rest;
  drain();
  return {};
}

result<void> history_walk::take(event e) {
  if (e.type() == event_type::session_open) {
    beyond_.clear();
    begun_ = settled_ = false;
  }
  if (e.type() == event_type::message_user &&
      (!beyond_.empty() || state_.queue.size() >= bounds_.queued_max ||
       queued_bytes() >= bounds_.queued_bytes)) {
    beyond_.push_back(e.meta.id.seq);
    return {};
  }
  // Whatever comes next may be of the message whose turn it is: a file of it that is read, say.
  if (e.type() != event_type::message_user && state_.queue.empty())
    if (auto taken = take_up_waiting(); !taken) return taken;
  // A file of a message that waits is read already: its result will be looked for there.
  if (const auto* called = std::get_if<body::tool_call>(&e.body);
      called && !called->turn_id.empty())
    while (!beyond_.empty() && !state_.find_turn(called->turn_id))
      if (auto taken = take_up_waiting(); !taken) return taken;
  apply(state_, e);
  // What a tool was asked stands in the message that asked it.
  if (e.type() == event_type::tool_call) state_.tools.back().call.inputs_json = {};
  return {};
}

// The next message that waits behind the queue.
result<void> history_walk::take_up_waiting() {
  if (beyond_.empty()) return {};
  read_options one;
  one.after_seq = beyond_.front() - 1;
  one.before_seq = beyond_.front() + 1;
  beyond_.pop_front();
  auto page = page_of(one);
  if (!page) return page.error();
  if (page->events.size() != 1) return gone();
  auto e = decode(page->events.front().json);
  if (!e) return e.error();
  apply(state_, *e);
  return {};
}

std::size_t history_walk::queued_bytes() const {
  std::size_t bytes = 0;
  for (const auto& turn : state_.queue) bytes += turn.user_text.size();
  return bytes;
}

void history_walk::drain() {
  // Nothing is added to a turn once another has begun.
  auto& turns = state_.turns;
  for (std::size_t n = 0; n + 1 < turns.size(); ++n) tell(turns[n]);
  if (turns.size() > 1) {
    turns.erase(turns.begin(), turns.end() - 1);
    settled_ = false;
  }
  if (!turns.empty()) drain_newest(turns.back());
}

// The answers of the newest turn may yet be replaced by a retry: where they are many it is looked
// for, before they are told.
void history_walk::drain_newest(turn_record& turn) {
  std::size_t bytes = 0;
  for (const auto& line : turn.lines) bytes += bytes_of(line);
  if (bytes < bounds_.lines_bytes) return;
  if (settled_) {
    tell(turn);
    begun_ = true;
    return;
  }
  if (state_.seq < retried_at_) return drop_answers(turn);
  ahead_ = read_options();
  ahead_->after_seq = state_.seq;
  ahead_->types = bit_of(event_type::llm_request);
}

result<void> history_walk::look_ahead() {
  auto& turn = state_.turns.back();
  ahead_->before_seq = std::min(ahead_->after_seq + bounds_.ahead_events, head_.seq) + 1;
  auto page = page_of(*ahead_);
  if (!page) return page.error();
  bool found = false;
  for (const auto& stored : page->events) {
    const auto e = decode(stored.json);
    if (!e) return e.error();
    const auto* asked = std::get_if<soma::body::llm_request>(&e->body);
    if (!asked || (asked->turn_id == turn.turn_id && asked->supersedes.empty())) continue;
    found = true;
    if (asked->turn_id == turn.turn_id)
      retried_at_ = stored.id.seq;
    else
      settled_ = true;
    break;
  }
  ahead_->after_seq = page->end ? ahead_->before_seq - 1 : page->scanned_seq;
  if (!found && ahead_->after_seq < head_.seq) return {};
  if (!found) settled_ = true;
  ahead_.reset();
  drain_newest(turn);
  return {};
}

void history_walk::tell_rest() {
  for (auto& turn : state_.turns) tell(turn);
  state_.turns.clear();
  if (state_.call && !state_.call->text.empty()) say("Assistant", state_.call->text + " …");
  state_.call.reset();
  for (auto& turn : state_.queue) tell(turn);
  state_.queue.clear();
  phase_ = beyond_.empty() ? phase::over : phase::waiting;
}

void history_walk::tell(turn_record& turn) {
  if (!std::exchange(begun_, false)) say("User", turn.user_text);
  for (const auto& line : turn.lines) {
    if (!line.tool_call_id.empty())
      say("Tool", "```json\n" + line.text + "\n```");
    else if (!line.text.empty())
      say("Assistant", line.text);
    for (const auto& call : line.tool_calls)
      say("Tool call", "`" + call.tool_id + "` `" + call.inputs_json + "`");
  }
  turn.lines.clear();
}

void history_walk::say(std::string_view who, std::string_view text) {
  out_.append("**").append(who).append("**\n\n").append(text).append("\n\n");
}

}  // namespace soma::app
