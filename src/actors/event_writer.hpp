// The one actor that writes to the event log: group commit of everything that waits, one fsync a
// batch, then the readers' feeds, then the answers. Detached: commits block.
//
// Where the log answers later (storage::session_log::answers_later) batches are handed over one
// behind the other without waiting, and feeds hang on what the log says became true.
#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "actors/interfaces.hpp"
#include "actors/node.hpp"

namespace soma::actors {

// Tells the readers' feeds and the list of sessions of an append that became true. One thread at a
// time.
void publish(node_services& node, const storage::append_op& op, event_id last);

struct event_writer_state {
  static inline const char* name = "event_writer";

  struct waiting {
    append_request request;
    caf::typed_response_promise<append_outcome> answer;
  };
  // A batch that was handed to a log that answers later.
  struct handed_over {
    std::vector<waiting> asked;
    std::vector<std::size_t> events, bytes;
    std::chrono::steady_clock::time_point since;
    std::vector<result<std::uint64_t>> results;
    bool answered = false;
  };
  struct answers;  // by the log's thread

  node_services* node = nullptr;
  event_writer_actor self;
  std::vector<waiting> batch;
  std::size_t batch_bytes = 0;
  bool flush_queued = false;
  std::deque<std::shared_ptr<handed_over>> in_flight;
  std::size_t ops_in_flight = 0;
  std::shared_ptr<answers> later;

  void commit();
  void hand_over();
  void take_answers();
  void wait_for_answers(std::size_t ops_left);
};

event_writer_actor::behavior_type event_writer(
    event_writer_actor::stateful_pointer<event_writer_state> self, node_services* node);

// The request of an append, counted in the writer's queue.
append_request append_of(node_services& node, storage::append_op op);

}  // namespace soma::actors
