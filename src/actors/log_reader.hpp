// Reads and folds a session's log for its actor, off the scheduler's threads. Detached: reads
// block.
#pragma once

#include <caf/typed_event_based_actor.hpp>

#include "actors/interfaces.hpp"
#include "actors/node.hpp"

namespace soma::actors {

log_reader_actor::behavior_type log_reader(log_reader_actor::pointer self, node_services* node);

// The fold of the whole log, deltas of finished messages left out; seq 0 for no such session.
result<std::shared_ptr<session_state>> fold_log(const storage::event_log& log,
                                                const session_key& key);

}  // namespace soma::actors
