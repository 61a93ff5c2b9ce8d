// Reads and folds sessions' logs for their actors, off the scheduler's threads. Detached: reads
// block. A piece of a log at a time, tenants by turns: one with long logs keeps no other waiting.
#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "actors/interfaces.hpp"
#include "actors/node.hpp"

namespace soma::actors {

// The fold of a session's log, a page at a time, from its snapshot on where there is one. Not
// thread-safe; blocks.
class log_fold {
 public:
  log_fold(const storage::event_log& log, session_key key);

  // True at the end of the log. After an error nothing more is to be asked.
  result<bool> step();
  std::shared_ptr<session_state> state() const { return state_; }
  snapshot_pace pace() const { return {snapshot_seq_, snapshot_bytes_, folded_bytes_}; }

 private:
  result<bool> begin();
  void begin_from_snapshot();

  const storage::event_log& log_;
  const session_key key_;
  std::shared_ptr<session_state> state_;
  std::optional<storage::session_head> head_;
  storage::read_options options_;
  std::uint64_t snapshot_seq_ = 0, folded_bytes_ = 0;
  std::size_t snapshot_bytes_ = 0;
};

struct log_reader_state {
  struct reading {
    log_fold fold;
    caf::typed_response_promise<loaded_session> answer;
  };
  std::map<tenant_id, std::deque<reading>> wanted;
  std::deque<tenant_id> turns;  // of those
};

log_reader_actor::behavior_type log_reader(
    log_reader_actor::stateful_pointer<log_reader_state> self, node_services* node);

}  // namespace soma::actors
