// A session's running incarnation: the shell around the pure core. It folds the log, feeds inputs
// to `step`, has the events appended, and carries out what is to be done once they are durable. It
// owns its llm_stream and tool_call actors. It ends by itself when idle (after a handshake with its
// tenant) and by an error when an append is refused; its tenant begins the next incarnation.
#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "actors/interfaces.hpp"
#include "actors/node.hpp"
#include "core/small_queue.hpp"

namespace soma::actors {

class session_shell {
 public:
  static inline const char* name = "session";
  using pointer = session_actor::stateful_pointer<session_shell>;

  ~session_shell();

  void start(pointer self, node_services* node, tenant_actor tenant, session_key key);
  void feed(const session_input& in);

  caf::typed_response_promise<command_outcome> on_command(session_command& command);
  caf::typed_response_promise<activated> on_activate();
  context_outcome on_context() const;
  void on_deadline(const turn_deadline& due);
  void on_memory_answered(memory_answered& m);
  void on_memory_late(const memory_late& m);
  void on_idle_check();
  void on_may_leave();
  void leave();
  void on_end_incarnation();
  void on_ownership_changed();
  void on_child_down(const caf::down_msg& down);

 private:
  struct asked {  // a command that waits for its answer
    caf::typed_response_promise<command_outcome> answer;
    std::string idempotency_key, request_hash;
  };
  struct step_in_flight {
    std::vector<session_action> then;
    std::size_t stream_bytes = 0;  // of llm.delta, for the stream's window
    bool durable = false;          // had no append of its own
  };

  // Why a command with this key is not taken: its twin waits, or was carried out a moment ago. The
  // gateway looked for the record before it was durable, and must look again. An optimization: what
  // passes here is judged by the log, which puts a key only if it is absent.
  std::optional<error> twin_of_recent(const std::string& idempotency_key);
  void on_loaded(loaded_session& loaded);
  void hand_over(session_actions actions);
  void note_turn_ends(const std::vector<event>& appended);
  storage::append_op make_op(session_actions& actions);
  bool take_snapshot(storage::append_op& op);
  void on_appended(const append_outcome& outcome);
  void carry_out(std::vector<session_action>& actions);
  void carry_out(action::reply& a);
  void carry_out(action::start_llm& a);
  void carry_out(action::cancel_llm& a);
  void carry_out(action::start_tool& a);
  void carry_out(action::cancel_tool& a);
  void carry_out(action::arm_deadline& a);
  void carry_out(action::recall& a);
  void end_recall(input::recalled answer);
  void fail(const error& why);
  void end_children();
  void maybe_end();
  bool at_rest() const;

  pointer self_ = nullptr;
  node_services* node_ = nullptr;
  tenant_actor tenant_;
  session_key key_;
  session_state core_;
  std::shared_ptr<const model_settings> model_;
  storage::session_info last_info_;
  std::uint64_t last_compact_seq_ = 0;
  snapshot_pace pace_;
  small_queue<step_in_flight> in_flight_;
  std::unordered_map<std::uint64_t, asked> asked_;
  small_queue<std::pair<std::chrono::steady_clock::time_point, std::string>> recent_keys_;
  std::vector<caf::typed_response_promise<activated>> activations_;
  std::uint64_t next_token_ = 1, deadline_serial_ = 0;
  llm_stream_actor stream_;
  std::string stream_invocation_;
  std::unordered_map<std::string, tool_call_actor> tools_;
  struct asked_memory {  // for its answer
    std::string turn_id;
    std::uint64_t serial = 0;
    std::chrono::steady_clock::time_point since;
  };
  std::optional<asked_memory> asked_memory_;
  std::uint64_t recall_serial_ = 0;
  bool active_since_check_ = false, loaded_ = false, ending_ = false, failed_ = false;
  bool turn_is_timed_ = false;
  std::optional<error> unread_;    // why its log could not be read
  std::uint32_t epoch_asked_ = 0;  // before its log was
  running_effects::token runs_;
};

session_actor::behavior_type session(session_shell::pointer self, node_services* node,
                                     tenant_actor tenant, session_key key);

}  // namespace soma::actors
