// A tenant: routes to its sessions, begins their incarnations and supervises them. A session that
// fails is begun again from its log with a capped back-off; one that fails `restart_max` times
// within a minute, or whose log cannot be read, is quarantined until it is restarted by hand. Its
// neighbours notice nothing. What is quarantined can still be deleted and reset: that needs no
// incarnation.
#pragma once

#include <array>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "actors/interfaces.hpp"
#include "actors/node.hpp"

namespace soma::actors {

class tenant_shell {
 public:
  static inline const char* name = "tenant";
  using pointer = tenant_actor::stateful_pointer<tenant_shell>;

  void start(pointer self, node_services* node, tenant_id tenant);

  // Hands `request` to the session's incarnation, begun if there is none, or keeps it for the next.
  template <class Answer, class Request>
  caf::typed_response_promise<Answer> route(Request& request);

  caf::typed_response_promise<command_outcome> on_command(session_command& command);
  caf::typed_response_promise<command_outcome> on_restart(restart_request& request);
  void on_wants_to_leave(const session_id& session);
  void on_stays(const session_id& session);
  void on_failed(const session_failed& m);
  void on_restart_due(const session_id& session);
  void on_down(const caf::down_msg& down);
  void on_turn_begun(const turn_begun& begun);
  void on_turn_over(const session_id& session);
  void on_timers_due(std::chrono::steady_clock::time_point at);
  void on_ownership_changed();
  caf::typed_response_promise<all_ended> on_shut_down();

 private:
  using clock = std::chrono::steady_clock;
  enum class timer : std::uint8_t { idle, deadline };
  enum class phase { running, leaving, failed, quarantined, clearing };
  struct held {  // waits for the next incarnation
    std::function<void(const session_actor&)> deliver;
    std::function<void(const error&)> refuse;
  };
  struct trouble {  // of a session that has failed
    std::vector<std::int64_t> failures_ms;
    std::string code;                 // of the last; empty: it was taken up again
    std::optional<error> unreadable;  // why, where its log is damaged
  };
  struct entry {
    session_actor actor;
    phase now = phase::running;
    std::vector<held> waiting;
    std::unique_ptr<trouble> failed;                      // most never do
    std::array<std::optional<clock::time_point>, 2> due;  // by timer
    turn_deadline deadline;
    std::vector<caf::typed_response_promise<command_outcome>> restarts;  // that wait for it

    std::string_view failure() const { return failed ? failed->code : std::string_view(); }
    trouble& failing() {
      if (!failed) failed = std::make_unique<trouble>();
      return *failed;
    }
  };

  // A deletion or reset, which goes past an incarnation that cannot carry it out.
  struct clearing {
    session_command command;
    caf::typed_response_promise<command_outcome> answer;
    std::optional<storage::session_head> head;
    int tries = 0;
  };

  void ask_or_clear(entry& e, const std::shared_ptr<clearing>& what);
  void on_bounced(const std::shared_ptr<clearing>& what, const caf::actor_addr& asked);
  void hold(entry& e, const std::shared_ptr<clearing>& what);
  void clear(entry& e, const std::shared_ptr<clearing>& what);
  void look_and_clear(const std::shared_ptr<clearing>& what);
  void append_clearing(const std::shared_ptr<clearing>& what);
  void end_clearing(const std::shared_ptr<clearing>& what, result<command_reply> how);
  static bool begins_at_once(const entry& e);
  void forget(std::unordered_map<session_id, entry>::iterator at);
  void arm(entry& e, timer which, std::chrono::milliseconds after);
  void disarm(entry& e, timer which);
  void wake_at(clock::time_point due);
  entry& begin_incarnation(const session_id& session, entry& e);
  void after_failure(const session_id& session, entry& e);
  void quarantine(const session_id& session, entry& e);
  static error refusal(const entry& e);
  void deliver_waiting(entry& e);
  void refuse_waiting(entry& e, const error& why);
  void answer_restarts(entry& e, const result<command_reply>& how);

  pointer self_ = nullptr;
  node_services* node_ = nullptr;
  tenant_id tenant_;
  std::unordered_map<session_id, entry> sessions_;
  std::unordered_map<caf::actor_addr, session_id> by_address_;
  std::set<std::tuple<clock::time_point, entry*, timer>> timers_;
  std::optional<clock::time_point> wakes_at_;  // the next timers_due under way
  caf::typed_response_promise<all_ended> ended_;
  bool shutting_down_ = false;
};

tenant_actor::behavior_type tenant(tenant_shell::pointer self, node_services* node, tenant_id id);

}  // namespace soma::actors
