// The events of a new session made of another's past: what a fork and an import append. The copy is
// dense from seq 1, names its own messages, turns, model calls and tool calls, and is at rest: work
// that was open where the past was cut is closed as interrupted and nothing will take it up.
//
// Ids of what stands outside the log (memories, attachments, a provider's own) stay as they are:
// the copy points at the same things. Idempotency keys are left out: they name requests to the
// source.
//
// Pure; a value of one thread. Memory is bounded by the open work, not by the length of the past.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.hpp"
#include "core/session_state.hpp"

namespace soma {

struct copy_options {
  session_key to;
  std::uint32_t epoch = 0;  // of every event of the copy
  // The copy's id for one of the source's. The same text gives the same id; never called with "".
  std::function<std::string(std::string_view)> rename;
  // For a fork: goes into the copy's session.open. Empty: what the source says there stays.
  std::string forked_from_session, forked_from_event;
  // Who makes the copy and so owns it, and when. Time 0: the copy is as old as its source.
  origin opened_by;
  // Of an import: every event is said to be of who makes the copy, whatever the source says.
  bool all_by_opener = false;
  std::int64_t opened_at_ms = 0;
};

class session_copy {
 public:
  explicit session_copy(copy_options options);

  // The next event of the source, in the order of its log, from its session.open on.
  event add(event source);

  // What closes the open work. Called once, after the last `add`.
  std::vector<event> close(std::int64_t now_ms);

  // The fold of the copy so far, without the texts of turns that are over.
  const session_state& state() const { return state_; }

 private:
  void keep_only_open_work(const event& e);
  void append(std::vector<event>& out, event_body body, std::string_view turn_id,
              std::int64_t now_ms);

  copy_options options_;
  session_state state_;
  // Calls of the newest message.assistant whose tool.call has not come yet.
  std::vector<body::tool_call> announced_;
};

}  // namespace soma
