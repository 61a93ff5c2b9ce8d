// The design's invariants over one session's durable log, checked event by event as a reader would
// see them. Independent of session_state on purpose: it must not share the core's mistakes.
#pragma once

#include <map>
#include <set>
#include <stdexcept>
#include <string>

#include "core/event.hpp"

namespace soma::testing {

struct violation : std::runtime_error {
  using runtime_error::runtime_error;
};

class session_invariants {
 public:
  explicit session_invariants(std::uint32_t max_attempts) : max_attempts_(max_attempts) {}

  void see(const event& e) {
    require(e.meta.id.seq == seq_ + 1, "seq is dense", e);
    require(e.meta.id.epoch >= epoch_, "no event of an older epoch after a newer one", e);
    seq_ = e.meta.id.seq;
    epoch_ = e.meta.id.epoch;
    if (!to_remember_.empty())
      require(e.type() == event_type::memory_write, "a message is remembered at once", e);
    if (!to_begin_.empty())
      require(e.type() == event_type::llm_request, "what was recalled begins its turn", e);
    std::visit([&](const auto& b) { on(b, e); }, e.body);
  }

  // Nothing runs and nothing will: every beginning has its end.
  void at_rest() const {
    if (!open_call_.empty()) throw violation("an llm.request never got its llm.complete");
    if (!open_tools_.empty()) throw violation("a tool.call never got its tool.result");
    if (!running_turn_.empty()) throw violation("a turn never ended: " + running_turn_);
  }

  bool everything_is_remembered = false;
  // Of a copy: cut anywhere, with what its source was told and remembered.
  bool copied = false;

  // Messages of users, turns that were begun, and what was recalled for which.
  const std::set<std::string>& messages() const { return messages_; }
  const std::set<std::string>& begun() const { return begun_; }
  const std::map<std::string, std::string>& recalled() const { return recalled_; }

  std::uint64_t seq() const { return seq_; }
  const std::map<std::string, int>& users_by_key() const { return users_by_key_; }
  const std::map<std::string, std::string>& answers() const { return answers_; }
  const std::map<std::string, std::string>& finish_reasons() const { return finish_; }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  static void require(bool held, const char* what, const event& e) {
    if (!held) throw violation(std::string(what) + ": broken by " + encode(e));
  }

  void on(const body::session_open&, const event&) {
    waiting_.clear();
    running_turn_.clear();
  }
  void on(const body::message_user& b, const event& e) {
    require(b.turn_id == b.message_id, "a turn is named after its message", e);
    if (!e.meta.idempotency_key.empty())
      require(++users_by_key_[e.meta.idempotency_key] == 1, "one key, one message.user", e);
    waiting_.push_back(b.turn_id);
    messages_.insert(b.message_id);
    if (everything_is_remembered) to_remember_ = b.message_id;
  }
  void on(const body::memory_write& b, const event& e) {
    if (copied) return;
    require(everything_is_remembered, "nothing is remembered where nothing shall be", e);
    require(b.message_id == to_remember_, "a memory stands behind its message", e);
    require(memories_.insert(b.memory_id).second, "a memory has an id of its own", e);
    to_remember_.clear();
  }
  void on(const body::memory_recall& b, const event& e) {
    require(!waiting_.empty() || ended_turns_.count(b.turn_id), "memory begins a turn", e);
    require(running_turn_.empty() && open_call_.empty(), "memory is recalled between turns", e);
    require(recalled_.emplace(b.turn_id, b.items_json).second, "memory is recalled once a turn", e);
    if (!copied) to_begin_ = b.turn_id;
  }
  void on(const body::llm_request& b, const event& e) {
    require(open_call_.empty(), "one model call at a time", e);
    require(b.attempt <= max_attempts_ * (1 + bytes_[b.message_id]), "attempts are bounded", e);
    require(requests_.insert(b.invocation_id).second, "an invocation is asked once", e);
    for (const auto& [id, turn] : open_tools_)
      require(turn != b.turn_id, "the model is asked after all tools of its turn answered", e);
    if (!waiting_.empty() && waiting_.front() == b.turn_id) {
      waiting_.erase(waiting_.begin());
      require(running_turn_.empty(), "turns do not overlap", e);
    } else {
      require(ended_turns_.count(b.turn_id) || running_turn_ == b.turn_id,
              "messages are taken up in order", e);
    }
    require(to_begin_.empty() || to_begin_ == b.turn_id, "what was recalled is of its turn", e);
    to_begin_.clear();
    begun_.insert(b.turn_id);
    running_turn_ = b.turn_id;
    open_call_ = b.invocation_id;
    open_message_ = b.message_id;
    if (b.attempt == 1) {
      require(asked_.insert(b.message_id).second, "a new call has a message of its own", e);
    } else {
      require(asked_.count(b.message_id) == 1, "attempts share a message", e);
    }
  }
  void on(const body::llm_delta& b, const event& e) {
    require(b.message_id == open_message_ && !open_call_.empty(), "a delta is of the open call", e);
    require(b.turn_id == running_turn_, "an event of a turn carries it", e);
    if (b.thinking) return;
    bytes_[b.message_id] += b.text.size();
    std::string& text = texts_[b.message_id];
    require(b.offset <= text.size(), "a delta leaves no hole", e);
    text.resize(b.offset);
    text += b.text;
  }
  void on(const body::llm_restart& b, const event& e) {
    require(b.message_id == open_message_, "a restart is of the open call", e);
    texts_[b.message_id].clear();
  }
  void on(const body::message_assistant& b, const event& e) {
    require(answers_.emplace(b.message_id, b.text).second, "a message is answered once", e);
    if (texts_.count(b.message_id))
      require(texts_[b.message_id] == b.text, "deltas folded equal the message", e);
    require(b.turn_id == running_turn_, "an answer is of the running turn", e);
    if (!b.final) return;
    if (everything_is_remembered && !b.text.empty()) to_remember_ = b.message_id;
    ended_turns_.insert(b.turn_id);
    running_turn_.clear();
  }
  void on(const body::llm_complete& b, const event& e) {
    require(b.invocation_id == open_call_, "llm.complete ends the open llm.request", e);
    open_call_.clear();
    finish_[b.message_id] = b.finish_reason;
  }
  void on(const body::tool_call& b, const event& e) {
    require(tools_.insert(b.tool_call_id).second, "a tool is called once", e);
    require(b.requested_by != "model" || b.turn_id == running_turn_, "a model calls in its turn",
            e);
    require(b.requested_by != "user" || b.turn_id.empty(), "a user calls outside of turns", e);
    open_tools_[b.tool_call_id] = b.turn_id;
  }
  void on(const body::tool_progress& b, const event& e) {
    require(open_tools_.count(b.tool_call_id) == 1, "progress is of an open call", e);
  }
  void on(const body::tool_result& b, const event& e) {
    require(open_tools_.erase(b.tool_call_id) == 1, "one tool.result for a tool.call", e);
  }
  template <class Other>
  void on(const Other&, const event&) {}

  std::uint32_t max_attempts_;
  std::uint64_t seq_ = 0;
  std::uint32_t epoch_ = 0;
  std::string open_call_, open_message_, running_turn_;
  std::vector<std::string> waiting_;
  std::set<std::string> requests_, asked_, tools_, ended_turns_;
  std::map<std::string, std::string> open_tools_;  // id → turn
  std::map<std::string, std::string> texts_, answers_, finish_;
  std::map<std::string, int> users_by_key_;
  std::set<std::string> messages_, begun_, memories_;
  std::map<std::string, std::string> recalled_;  // turn → items
  std::string to_remember_, to_begin_;           // what the next event has to be about
  std::map<std::string, std::size_t> bytes_;     // ever said of a message, dropped text included
};

}  // namespace soma::testing
