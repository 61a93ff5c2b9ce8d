// The one actor that writes to the event log: group commit of everything that waits, one fsync a
// batch, then the readers' feeds, then the answers. Detached: commits block.
//
// Where the log answers later (storage::session_log::answers_later) what waits of a session is
// handed over without waiting, a few batches of it at a time; feeds hang on what the log says
// became true. Answers keep a session's order, and no session waits for another's: a partition
// without a leader is a matter of its own sessions.
#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <unordered_map>
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
  // What was handed, of one session, to a log that answers later.
  struct handed_over {
    session_key key;
    std::vector<waiting> asked;
    std::vector<std::size_t> events, bytes;
    std::chrono::steady_clock::time_point since;
    std::vector<result<std::uint64_t>> results;
    bool answered = false;
  };
  struct of_session {
    std::deque<std::shared_ptr<handed_over>> in_flight;
    std::vector<waiting> waits;
  };
  struct waiting_job {
    storage_job job;
    caf::typed_response_promise<storage_outcome> answer;
  };
  struct answers;  // by the log's threads

  node_services* node = nullptr;
  caf::actor_addr self;
  std::vector<waiting> batch;
  std::size_t batch_bytes = 0;
  bool flush_queued = false;
  // Of a log that answers later:
  std::unordered_map<session_key, of_session> sessions;  // of which something is under way
  std::vector<waiting_job> jobs;
  job_runner_actor runner;
  std::shared_ptr<answers> later;

  event_writer_state() = default;
  ~event_writer_state();  // whoever still waits is told that it is gone

  void commit();
  void hand_over();
  void hand_over(of_session& of);
  void take_answers();
  void answer(handed_over& one);
  void run_jobs();
};

event_writer_actor::behavior_type event_writer(
    event_writer_actor::stateful_pointer<event_writer_state> self, node_services* node);

// The request of an append, counted in the writer's queue.
append_request append_of(node_services& node, storage::append_op op);

}  // namespace soma::actors
