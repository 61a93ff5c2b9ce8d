#include "actors/tenant.hpp"

#include <algorithm>
#include <chrono>

#include "actors/clearing.hpp"
#include "actors/event_writer.hpp"
#include "actors/session.hpp"
#include "core/codes.hpp"
#include "core/time.hpp"
#include "observability/log.hpp"

namespace soma::actors {
namespace {

constexpr std::int64_t failure_window_ms = 60'000;
constexpr int clearing_tries_max = 3;
constexpr std::chrono::milliseconds back_off_first{100};

error quarantined() {
  return {codes::session_quarantined,
          "the session failed repeatedly and is kept apart; action restart takes it up again"};
}

result<command_reply> restarted() {
  command_reply done;
  done.status = "restarted";
  return done;
}

void refuse(caf::typed_response_promise<command_outcome>& answer, const error& why) {
  answer.deliver(command_outcome(result<command_reply>(why)));
}
void refuse(caf::typed_response_promise<context_outcome>& answer, const error& why) {
  answer.deliver(context_outcome(result<model_context>(why)));
}
void refuse(caf::typed_response_promise<activated>& answer, const error&) {
  answer.deliver(activated{});
}

error not_owner() {
  return {codes::cluster_not_owner, "another node owns the session, or none does just now", 1};
}

// A full disk, or a full way to the log, is no fault of the session, nor is a key that another
// command was quicker with, nor that another node owns it: it is begun again without counting
// towards quarantine, and as soon as anyone asks for it.
bool blames_session(std::string_view code) {
  return code != codes::storage_full && code != codes::storage_unavailable &&
         code != codes::server_busy && code != codes::idempotency_exists &&
         !code.starts_with("cluster.");
}

}  // namespace

void tenant_shell::start(pointer self, node_services* node, tenant_id tenant) {
  self_ = self;
  node_ = node;
  tenant_ = std::move(tenant);
  self->set_down_handler([this](caf::scheduled_actor*, caf::down_msg& down) { on_down(down); });
  self->set_exception_handler([node](caf::scheduled_actor*, std::exception_ptr&) -> caf::error {
    node->root_died("tenant");
    return caf::sec::runtime_error;
  });
}

// Between two incarnations for no fault of its own: waiting would tell nobody anything new.
bool tenant_shell::begins_at_once(const entry& e) {
  return e.now == phase::failed && !blames_session(e.failure());
}

tenant_shell::entry& tenant_shell::begin_incarnation(const session_id& session, entry& e) {
  disarm(e, timer::deadline);
  arm(e, timer::idle, std::chrono::seconds(node_->limits.session_idle_s));
  e.actor = self_->spawn<caf::monitored>(actors::session, node_, tenant_actor(self_),
                                         session_key{tenant_, session});
  e.now = phase::running;
  if (e.failed) e.failed->code.clear(), e.failed->unreadable.reset();
  by_address_[e.actor.address()] = session;
  return e;
}

void tenant_shell::forget(std::unordered_map<session_id, entry>::iterator at) {
  disarm(at->second, timer::idle);
  disarm(at->second, timer::deadline);
  sessions_.erase(at);
}

template <class Answer, class Request>
caf::typed_response_promise<Answer> tenant_shell::route(Request& request) {
  auto answer = self_->make_response_promise<Answer>();
  if (shutting_down_) {
    refuse(answer, {codes::server_shutting_down, "the server is stopping", 2});
    return answer;
  }
  if (node_->log.epoch_of(request.key) == 0) {
    refuse(answer, not_owner());
    return answer;
  }
  const session_id session = request.key.session;
  auto [at, fresh] = sessions_.try_emplace(session);
  entry& e = at->second;
  if (fresh || begins_at_once(e)) {
    begin_incarnation(session, e);
    deliver_waiting(e);
    answer_restarts(e, restarted());
  }
  if (e.now == phase::running && !(e.failed && e.failed->unreadable)) {
    answer.delegate(e.actor, std::move(request));
  } else if (e.now == phase::running || e.now == phase::quarantined) {
    refuse(answer, refusal(e));
  } else if (e.waiting.size() >= node_->limits.held_commands_max) {
    refuse(answer, {codes::server_busy, "too many requests wait for this session", 1});
  } else {
    auto kept = std::make_shared<Request>(std::move(request));
    e.waiting.push_back(
        {[answer, kept](const session_actor& to) mutable { answer.delegate(to, std::move(*kept)); },
         [answer](const error& why) mutable { refuse(answer, why); }});
  }
  return answer;
}

void tenant_shell::refuse_waiting(entry& e, const error& why) {
  for (auto& one : std::exchange(e.waiting, {})) one.refuse(why);
}

void tenant_shell::deliver_waiting(entry& e) {
  for (auto& one : std::exchange(e.waiting, {})) one.deliver(e.actor);
}

// ---- deletion and reset: with the incarnation if it lives, else without ----

caf::typed_response_promise<command_outcome> tenant_shell::on_command(session_command& command) {
  if (!clears(command) || shutting_down_ || node_->log.epoch_of(command.key) == 0)
    return route<command_outcome>(command);
  auto what = std::make_shared<clearing>();
  what->answer = self_->make_response_promise<command_outcome>();
  what->command = std::move(command);
  const session_id session = what->command.key.session;
  auto [at, fresh] = sessions_.try_emplace(session);
  entry& e = at->second;
  if (fresh || begins_at_once(e)) {
    begin_incarnation(session, e);
    deliver_waiting(e);
    answer_restarts(e, restarted());
  }
  if (e.now == phase::running) {
    ask_or_clear(e, what);
  } else if (e.now == phase::quarantined) {
    clear(e, what);
  } else {
    hold(e, what);
  }
  return what->answer;
}

void tenant_shell::hold(entry& e, const std::shared_ptr<clearing>& what) {
  if (e.waiting.size() >= node_->limits.held_commands_max)
    return refuse(what->answer, {codes::server_busy, "too many requests wait for this session", 1});
  // Both are called with the entry in its place.
  e.waiting.push_back({[this, what](const session_actor&) {
                         ask_or_clear(sessions_.at(what->command.key.session), what);
                       },
                       [this, what](const error& why) {
                         if (why.code != codes::session_quarantined &&
                             why.code != codes::storage_corrupt)
                           return refuse(what->answer, why);
                         clear(sessions_.at(what->command.key.session), what);
                       }});
}

void tenant_shell::ask_or_clear(entry& e, const std::shared_ptr<clearing>& what) {
  self_->request(e.actor, caf::infinite, session_command(what->command))
      .then(
          [this, what, asked = e.actor.address()](const command_outcome& outcome) {
            // A log that cannot be read is cleared all the same.
            if (!outcome.reply && outcome.reply.error().code == codes::storage_corrupt)
              return on_bounced(what, asked);
            what->answer.deliver(command_outcome(outcome));
          },
          [this, what, asked = e.actor.address()](caf::error&) { on_bounced(what, asked); });
}

// The incarnation ended with the command in its mailbox.
void tenant_shell::on_bounced(const std::shared_ptr<clearing>& what, const caf::actor_addr& asked) {
  const auto at = sessions_.find(what->command.key.session);
  const bool unreadable = at != sessions_.end() && at->second.failure() == codes::storage_corrupt;
  // Word of that end may still be on its way here: what comes of it decides.
  if (at != sessions_.end() && !shutting_down_ && !unreadable && at->second.actor &&
      at->second.actor.address() == asked)
    return hold(at->second, what);
  if (at == sessions_.end() || shutting_down_ ||
      !(unreadable || at->second.now == phase::quarantined))
    return refuse(what->answer, {codes::server_busy, "the session is being taken up again", 1});
  clear(at->second, what);
}

void tenant_shell::clear(entry& e, const std::shared_ptr<clearing>& what) {
  if (e.now == phase::clearing) return hold(e, what);  // one at a time
  e.now = phase::clearing;
  look_and_clear(what);
}

void tenant_shell::look_and_clear(const std::shared_ptr<clearing>& what) {
  storage_job look;
  look.of = what->command.key;
  look.run = [what](storage::event_log& log) -> result<void> {
    auto found = log.head(what->command.key);
    if (!found) return found.error();
    what->head = std::move(*found);
    return {};
  };
  self_->request(node_->writer, caf::infinite, std::move(look))
      .then(
          [this, what](const storage_outcome& looked) {
            if (looked.done) return append_clearing(what);
            end_clearing(what, looked.done.error());
          },
          [this, what](caf::error&) {
            end_clearing(what, error(codes::storage_unavailable, "the event writer is gone"));
          });
}

void tenant_shell::append_clearing(const std::shared_ptr<clearing>& what) {
  if (node_->log.epoch_of(what->command.key) == 0) return end_clearing(what, not_owner());
  auto cleared =
      clear_session(what->command, *what->head, node_->log.epoch_of(what->command.key), now_ms());
  for (auto& record : cleared.op.idempotency) record.ttl_ms = node_->limits.idempotency_ttl_ms;
  self_->request(node_->writer, caf::infinite, append_of(*node_, std::move(cleared.op)))
      .then(
          [this, what, reply = std::move(cleared.reply)](const append_outcome& appended) {
            if (appended.head) return end_clearing(what, reply);
            const auto& why = appended.head.error();
            // The event of the quarantine was on its way.
            if (why.code == codes::session_head_mismatch && ++what->tries < clearing_tries_max)
              return look_and_clear(what);
            end_clearing(what, why);
          },
          [this, what](caf::error&) {
            end_clearing(what, error(codes::storage_unavailable, "the event writer is gone"));
          });
}

void tenant_shell::end_clearing(const std::shared_ptr<clearing>& what, result<command_reply> how) {
  const session_id session = what->command.key.session;
  const auto at = sessions_.find(session);
  const bool done = how || how.error().code == codes::session_not_found;
  what->answer.deliver(command_outcome(std::move(how)));
  if (at == sessions_.end()) return;
  entry& e = at->second;
  if (shutting_down_) {
    refuse_waiting(e, {codes::server_shutting_down, "the server is stopping", 2});
    forget(at);
    if (sessions_.empty()) ended_.deliver(all_ended{});
  } else if (!done) {
    e.now = phase::quarantined;
    refuse_waiting(e, refusal(e));
  } else {
    e.failed.reset();
    begin_incarnation(session, e);
    deliver_waiting(e);
    answer_restarts(e, restarted());
  }
}

caf::typed_response_promise<command_outcome> tenant_shell::on_restart(restart_request& request) {
  auto answer = self_->make_response_promise<command_outcome>();
  if (shutting_down_) {
    refuse(answer, {codes::server_shutting_down, "the server is stopping", 2});
    return answer;
  }
  auto [at, fresh] = sessions_.try_emplace(request.key.session);
  entry& e = at->second;
  if (fresh || e.now == phase::quarantined || e.now == phase::failed) {
    e.failed.reset();
    begin_incarnation(request.key.session, e);
    deliver_waiting(e);
    answer.deliver(command_outcome(restarted()));
    return answer;
  }
  e.restarts.push_back(answer);
  if (e.restarts.size() > 1 || e.now == phase::clearing)
    return answer;  // along with what is under way
  session_command stop;
  stop.key = request.key;
  stop.what.who.from = request.from;
  stop.what.what = input::stop{};
  auto end = [this, asked = e.actor] { self_->send(asked, end_incarnation{}); };
  self_->request(e.actor, caf::infinite, std::move(stop))
      .then([end](const command_outcome&) { end(); }, [end](caf::error&) { end(); });
  return answer;
}

void tenant_shell::on_wants_to_leave(const session_id& session) {
  const auto at = sessions_.find(session);
  if (at == sessions_.end() || at->second.now != phase::running) return;
  at->second.now = phase::leaving;
  self_->send(at->second.actor, may_leave{});
}

void tenant_shell::on_stays(const session_id& session) {
  const auto at = sessions_.find(session);
  if (at == sessions_.end() || at->second.now != phase::leaving) return;
  at->second.now = phase::running;
  deliver_waiting(at->second);
}

void tenant_shell::on_failed(const session_failed& m) {
  const auto at = sessions_.find(m.session);
  if (at == sessions_.end()) return;
  auto& failed = at->second.failing();
  failed.code = m.code;
  if (m.code == codes::storage_corrupt) failed.unreadable.emplace(codes::storage_corrupt, m.detail);
  // Behind what it was sent before: what it could not read it says to whoever asks.
  self_->send(at->second.actor, end_incarnation{});
}

// What is damaged is said as such: a restart would not help.
error tenant_shell::refusal(const entry& e) {
  return e.failed && e.failed->unreadable ? *e.failed->unreadable : quarantined();
}

void tenant_shell::on_down(const caf::down_msg& down) {
  const auto known = by_address_.find(down.source);
  if (known == by_address_.end()) return;
  const session_id session = std::move(known->second);
  by_address_.erase(known);
  const auto at = sessions_.find(session);
  if (at == sessions_.end() || at->second.actor.address() != down.source) return;
  entry& e = at->second;
  e.actor = nullptr;
  disarm(e, timer::idle);
  disarm(e, timer::deadline);
  if (e.now == phase::clearing) return;  // goes on when that is done
  if (shutting_down_) {
    forget(at);
    if (sessions_.empty()) ended_.deliver(all_ended{});
  } else if (down.reason) {
    after_failure(session, e);
  } else if (!e.restarts.empty() || !e.waiting.empty()) {
    begin_incarnation(session, e);
    deliver_waiting(e);
    answer_restarts(e, restarted());
  } else {
    forget(at);
  }
}

void tenant_shell::after_failure(const session_id& session, entry& e) {
  const auto now = now_ms();
  // Reading it again would read the same.
  auto& [failures_ms, code, unreadable] = e.failing();
  if (code == codes::storage_corrupt) return quarantine(session, e);
  if (blames_session(code)) failures_ms.push_back(now);
  std::erase_if(failures_ms, [&](auto at_ms) { return at_ms < now - failure_window_ms; });
  if (failures_ms.size() >= node_->limits.restart_max) return quarantine(session, e);
  e.now = phase::failed;
  const std::chrono::milliseconds back_off_max(node_->limits.back_off_ms_max);
  const auto doublings = std::min<std::size_t>(failures_ms.size(), 8);
  // By itself, for unfinished work; who asks for it does not wait as long when it is not to blame.
  const auto delay =
      code == codes::idempotency_exists || code.starts_with("cluster.") ? back_off_first
      : blames_session(code) ? std::min(back_off_max, back_off_first * (1 << doublings))
                             : back_off_max;
  self_->delayed_send(self_, delay, restart_due{session});
}

void tenant_shell::on_restart_due(const session_id& session) {
  const auto at = sessions_.find(session);
  if (at == sessions_.end() || at->second.now != phase::failed || shutting_down_) return;
  if (node_->log.epoch_of({tenant_, session}) == 0) {  // another's now
    refuse_waiting(at->second, not_owner());
    answer_restarts(at->second, not_owner());
    return forget(at);
  }
  begin_incarnation(session, at->second);
  deliver_waiting(at->second);
  answer_restarts(at->second, restarted());
}

void tenant_shell::answer_restarts(entry& e, const result<command_reply>& how) {
  for (auto& answer : std::exchange(e.restarts, {})) answer.deliver(command_outcome(how));
}

void tenant_shell::quarantine(const session_id& session, entry& e) {
  log(log_level::error, "session.quarantined", {{"code", e.failure()}},
      {{}, {}, session.value, tenant_.value, {}});
  e.now = phase::quarantined;
  node_->probe.session_quarantined({tenant_, session}, e.failure());
  refuse_waiting(e, refusal(e));
  answer_restarts(e, refusal(e));
  // The session cannot speak for itself any more, so its tenant writes the event.
  const session_key key{tenant_, session};
  auto head = std::make_shared<std::uint64_t>(0);
  storage_job look;
  look.of = key;
  look.run = [key, head](storage::event_log& log) -> result<void> {
    auto found = log.head(key);
    if (!found) return found.error();
    *head = found->seq;
    return {};
  };
  self_->request(node_->writer, caf::infinite, std::move(look))
      .then(
          [this, key, head](const storage_outcome& looked) {
            if (!looked.done || node_->log.epoch_of(key) == 0) return;
            event e;
            e.meta.id = {node_->log.epoch_of(key), *head + 1};
            e.meta.key = key;
            e.meta.created_at_ms = now_ms();
            e.body = body::error{
                {std::string(codes::session_quarantined), quarantined().detail, false}, {}, {}};
            storage::append_op op;
            op.key = key;
            op.epoch = e.meta.id.epoch;
            op.expected_seq = *head;
            op.events.push_back({e.meta.id.seq, e.type(), encode(e)});
            self_->request(node_->writer, caf::infinite, append_of(*node_, std::move(op)))
                .then([](const append_outcome&) {}, [](caf::error&) {});
          },
          [](caf::error&) {});
}

void tenant_shell::on_ownership_changed() {
  for (auto& [session, e] : sessions_)
    if (e.actor) self_->send(e.actor, ownership_changed{});
}

caf::typed_response_promise<all_ended> tenant_shell::on_shut_down() {
  shutting_down_ = true;
  ended_ = self_->make_response_promise<all_ended>();
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    refuse_waiting(at->second, {codes::server_shutting_down, "the server is stopping", 2});
    if (at->second.actor) self_->send(at->second.actor, end_incarnation{});
    if (at->second.actor || at->second.now == phase::clearing) {
      ++at;
    } else {
      forget(at++);
    }
  }
  auto answer = ended_;
  if (sessions_.empty()) ended_.deliver(all_ended{});
  return answer;
}

tenant_actor::behavior_type tenant(tenant_shell::pointer self, node_services* node, tenant_id id) {
  auto& shell = self->state;
  shell.start(self, node, std::move(id));
  return {
      [&shell](session_command& m) { return shell.on_command(m); },
      [&shell](activate_request& m) { return shell.route<activated>(m); },
      [&shell](context_request& m) { return shell.route<context_outcome>(m); },
      [&shell](restart_request& m) { return shell.on_restart(m); },
      [&shell](const wants_to_leave& m) { shell.on_wants_to_leave(m.session); },
      [&shell](const stays& m) { shell.on_stays(m.session); },
      [&shell](const session_failed& m) { shell.on_failed(m); },
      [&shell](const restart_due& m) { shell.on_restart_due(m.session); },
      [&shell](const turn_begun& m) { shell.on_turn_begun(m); },
      [&shell](const turn_over& m) { shell.on_turn_over(m.session); },
      [&shell](const timers_due& m) { shell.on_timers_due(m.due); },
      [&shell](const ownership_changed&) { shell.on_ownership_changed(); },
      [&shell](const shut_down&) { return shell.on_shut_down(); },
  };
}

}  // namespace soma::actors
