// A conversation as Markdown, for people, made while its log is read: what is over is given and
// kept no longer, so that the memory it takes does not grow with the session. Says the same as the
// fold of the whole log would. One thread at a time; blocks on the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "app/log_reader.hpp"
#include "core/session_state.hpp"

namespace soma::app {

struct history_bounds {
  std::size_t page_bytes = 256 * 1024;    // of events that are read at once
  std::size_t lines_bytes = 1024 * 1024;  // of a turn that goes on, until it is looked ahead
  std::size_t queued_bytes = 1024 * 1024, queued_max = 64;  // messages that wait: others are read
                                                            // again when it is their turn
  std::uint64_t ahead_events = 4096;                        // looked at at once
};

class history_walk {
 public:
  history_walk(const storage::session_log& log, session_key key, session_head head,
               const history_bounds& bounds = {});

  // Reads on, and gives what can be told by then: perhaps nothing yet. Errors: session.not_found
  // where the log was reset or deleted meanwhile, those of the store.
  result<std::string> step();
  bool over() const { return phase_ == phase::over; }

 private:
  enum class phase { reading, rest, waiting, over };

  result<void> read_on();
  result<void> look_ahead();
  result<void> take(event e);
  result<void> take_up_waiting();
  result<event_page> page_of(const read_options& options);
  std::size_t queued_bytes() const;

  void drain();
  void drain_newest(turn_record& turn);
  void tell_rest();
  void tell(turn_record& turn);
  void say(std::string_view who, std::string_view text);

  const storage::session_log& log_;
  const session_key key_;
  const session_head head_;
  const history_bounds bounds_;
  read_options options_;
  phase phase_ = phase::reading;
  session_state state_;
  std::deque<std::uint64_t> beyond_;  // messages behind the queue: where they stand in the log
  std::string out_;
  // Of the newest turn: its message is out already; no retry of it comes; its answers up to there
  // are replaced; where it is looked for that.
  bool begun_ = false, settled_ = false;
  std::uint64_t retried_at_ = 0;
  std::optional<read_options> ahead_;
};

}  // namespace soma::app
