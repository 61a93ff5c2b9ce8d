// A world around the pure core for simulation: storage that loses what was not synced, a provider
// and tools that answer in any order or fail, callers that retry, and a crash between any two
// actions. Everything follows from one seed.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/session_core.hpp"
#include "session_invariants.hpp"

namespace soma::testing {

using step_function = std::function<session_actions(session_state&, const session_rules&,
                                                    std::int64_t, const session_input&)>;

class session_world {
 public:
  // What the store may do wrong: a key that is there is put again.
  struct faults {
    bool overwrites_keys = false;
  };
  session_world(std::uint64_t seed, step_function core) : session_world(seed, core, faults{}) {}
  session_world(std::uint64_t seed, step_function core, faults planted);

  // Runs `actions` random actions, then lets everything come to rest. Throws `violation`.
  void run(int actions);

  std::uint64_t crashes() const { return crashes_; }
  std::uint64_t events() const { return log_.size(); }
  const std::vector<std::string>& log() const { return log_; }  // encoded
  // Turns that the running session holds no more, and activations that began with a snapshot.
  std::uint64_t messages_let_go() const { return state_.past.messages; }
  std::uint64_t from_snapshot() const { return from_snapshot_; }

 private:
  struct append {  // handed to storage, not yet synced
    std::vector<event> events;
    std::vector<session_action> then;
    std::string snapshot;
  };
  struct model_call {
    std::string message_id, left;  // what is still to be said
    bool with_tools = true;
  };

  void feed(const session_input& in);
  void execute(const session_action& a);
  void sync_some();
  bool make_durable(const append& a);
  void begin_again();
  void activate();
  void crash();
  void act();
  void send_message();
  void send_command();
  void model_speaks();
  void tool_answers();
  void memory_answers();
  std::string some_json();
  session_state fold_from_snapshot() const;
  void check_fold() const;
  void check_told(const action::start_llm& start) const;
  void settle();

  std::uint64_t pick(std::uint64_t n) { return n == 0 ? 0 : random_() % n; }
  bool chance(int percent) { return pick(100) < static_cast<std::uint64_t>(percent); }
  std::string answer_to(const std::string& message_id) const;

  std::mt19937_64 random_;
  step_function core_;
  session_rules rules_;
  const faults faults_;
  const std::uint64_t turns_bytes_max_;  // of what is kept of turns: at times very little
  std::set<std::string> kept_keys_;      // idempotency records, in the order of the log
  bool calm_ = false;                    // no more failures: everything must come to rest

  std::vector<std::string> log_;  // durable, encoded as on disk
  session_invariants invariants_;
  std::deque<append> pending_;
  std::string snapshot_;  // durable, with the append that it came with
  std::uint64_t feeds_ = 0;

  session_state state_;
  std::uint32_t epoch_ = 0;
  std::int64_t now_ms_ = 1'700'000'000'000;
  std::map<std::string, model_call> calls_;   // by invocation
  std::map<std::string, std::string> tools_;  // tool_call_id → tool_id
  std::set<std::string> deadlines_;
  std::vector<std::string> recalls_;               // turn_ids that wait for what is remembered
  std::string late_;                               // one whose answer was given up
  std::map<std::uint64_t, std::string> awaiting_;  // token → idempotency key ("" none)
  std::set<std::string> unacknowledged_;           // keys to be sent again
  std::uint64_t next_token_ = 1, next_key_ = 1, crashes_ = 0, from_snapshot_ = 0;
};

}  // namespace soma::testing
