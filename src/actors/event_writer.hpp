// The one actor that writes to the event log: group commit of everything that waits, one fsync a
// batch, then the readers' feeds, then the answers. Detached: commits block.
#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <vector>

#include "actors/interfaces.hpp"
#include "actors/node.hpp"

namespace soma::actors {

struct event_writer_state {
  static inline const char* name = "event_writer";

  struct waiting {
    append_request request;
    caf::typed_response_promise<append_outcome> answer;
  };
  node_services* node = nullptr;
  std::vector<waiting> batch;
  std::size_t batch_bytes = 0;
  bool flush_queued = false;

  void commit();
  void publish(const storage::append_op& op);
};

event_writer_actor::behavior_type event_writer(
    event_writer_actor::stateful_pointer<event_writer_state> self, node_services* node);

// The request of an append, counted in the writer's queue.
append_request append_of(node_services& node, storage::append_op op);

}  // namespace soma::actors
