// The time of a tenant's sessions.
#include "actors/tenant.hpp"

namespace soma::actors {
namespace {

constexpr std::chrono::milliseconds shortest_timer{10};

}  // namespace

// ---- time: one message of the tenant to itself for all of its sessions. A message to a session
// would keep its memory until it came, long after the session had ended. ----

void tenant_shell::arm(entry& e, timer which, std::chrono::milliseconds after) {
  disarm(e, which);
  const auto due = clock::now() + std::max(after, shortest_timer);
  e.due[static_cast<std::size_t>(which)] = due;
  timers_.insert({due, &e, which});
  wake_at(due);
}

void tenant_shell::disarm(entry& e, timer which) {
  auto& due = e.due[static_cast<std::size_t>(which)];
  if (due) timers_.erase({*due, &e, which});
  due.reset();
}

void tenant_shell::wake_at(clock::time_point due) {
  if (wakes_at_ && *wakes_at_ <= due) return;
  wakes_at_ = due;
  self_->delayed_send(self_, due - clock::now(), timers_due{due});
}

void tenant_shell::on_timers_due(clock::time_point at) {
  if (wakes_at_ != at) return;  // an earlier one was asked for since, or it is behind us
  const auto now = clock::now();
  while (!timers_.empty() && std::get<0>(*timers_.begin()) <= now) {
    const auto [due, at_entry, which] = *timers_.begin();
    entry& e = *at_entry;
    disarm(e, which);
    if (e.actor && which == timer::deadline) self_->send(e.actor, e.deadline);
    if (!e.actor || which == timer::deadline) continue;
    self_->send(e.actor, idle_check{});
    arm(e, timer::idle, std::chrono::seconds(node_->limits.session_idle_s));
  }
  wakes_at_.reset();
  if (!timers_.empty()) wake_at(std::get<0>(*timers_.begin()));
}

void tenant_shell::on_turn_begun(const turn_begun& begun) {
  const auto at = sessions_.find(begun.session);
  if (at == sessions_.end() || !at->second.actor) return;
  at->second.deadline = begun.due;
  arm(at->second, timer::deadline, std::chrono::seconds(begun.after_s));
}

void tenant_shell::on_turn_over(const session_id& session) {
  if (const auto at = sessions_.find(session); at != sessions_.end())
    disarm(at->second, timer::deadline);
}

}  // namespace soma::actors
