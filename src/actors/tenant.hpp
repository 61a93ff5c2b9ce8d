// A tenant: routes to its sessions, begins their incarnations and supervises them. A session that
// fails is begun again from its log with a capped back-off; one that fails `restart_max` times
// within a minute is quarantined until it is restarted by hand. Its neighbours notice nothing.
#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <deque>
#include <functional>
#include <string>
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

  caf::typed_response_promise<command_outcome> on_restart(restart_request& request);
  void on_wants_to_leave(const session_id& session);
  void on_stays(const session_id& session);
  void on_failed(const session_failed& m);
  void on_restart_due(const session_id& session);
  void on_down(const caf::down_msg& down);
  caf::typed_response_promise<all_ended> on_shut_down();

 private:
  enum class phase { running, leaving, failed, quarantined };
  struct held {  // waits for the next incarnation
    std::function<void(const session_actor&)> deliver;
    std::function<void(const error&)> refuse;
  };
  struct entry {
    session_actor actor;
    phase now = phase::running;
    std::vector<held> waiting;
    std::deque<std::int64_t> failures_ms;
    std::string failure_code;
    std::vector<caf::typed_response_promise<command_outcome>> restarts;  // that wait for it
  };

  entry& begin_incarnation(const session_id& session, entry& e);
  void after_failure(const session_id& session, entry& e);
  void quarantine(const session_id& session, entry& e);
  void deliver_waiting(entry& e);
  void answer_restarts(entry& e, const result<command_reply>& how);

  pointer self_ = nullptr;
  node_services* node_ = nullptr;
  tenant_id tenant_;
  std::unordered_map<session_id, entry> sessions_;
  std::unordered_map<caf::actor_addr, session_id> by_address_;
  caf::typed_response_promise<all_ended> ended_;
  bool shutting_down_ = false;
};

tenant_actor::behavior_type tenant(tenant_shell::pointer self, node_services* node, tenant_id id);

}  // namespace soma::actors
