#include "actors/session.hpp"

#include <algorithm>

#include "actors/event_writer.hpp"
#include "actors/llm_stream.hpp"
#include "actors/session_info.hpp"
#include "actors/tool_call.hpp"
#include "core/codes.hpp"
#include "core/command_codec.hpp"
#include "core/time.hpp"
#include "memory/item.hpp"
#include "memory/rating.hpp"
#include "storage/attachment_rows.hpp"

namespace soma::actors {
namespace {

// Longer than between a gateway's look at the store and its command's arrival here.
constexpr std::chrono::seconds recent_keys_kept{10};

// What ends work or makes room is taken from a tenant that has filled its part of the disk.
bool begins_something(const input::command& what) {
  if (const auto* pause = std::get_if<input::pause>(&what)) return !pause->paused;
  return !std::holds_alternative<input::stop>(what) &&
         !std::holds_alternative<input::reset>(what) &&
         !std::holds_alternative<input::remove>(what);
}

command_outcome refused(const error& why) {
  return command_outcome(result<command_reply>(why));
}

}  // namespace

session_shell::~session_shell() {
  if (node_) node_->probe.session_ended(failed_);
}

void session_shell::start(pointer self, node_services* node, tenant_actor tenant, session_key key) {
  self_ = self;
  node_ = node;
  tenant_ = std::move(tenant);
  key_ = std::move(key);
  runs_ = node_->effects.begin(key_);
  node_->probe.session_started();
  self->set_down_handler(
      [this](caf::scheduled_actor*, caf::down_msg& down) { on_child_down(down); });
  self->set_exception_handler([this](caf::scheduled_actor*, std::exception_ptr&) -> caf::error {
    fail({codes::internal, "the session failed"});
    return caf::sec::runtime_error;
  });
  epoch_asked_ = node_->log.epoch_of(key_);
  // Until the log is folded everything else waits in the mailbox.
  self->request(node->reader, caf::infinite, load_request{key_})
      .await([this](loaded_session& loaded) { on_loaded(loaded); },
             [this](caf::error&) {
               fail({codes::internal, "the log reader is gone"});
             });
}

void session_shell::on_loaded(loaded_session& loaded) {
  if (loaded.failed) return fail(*loaded.failed);
  loaded_ = true;
  core_ = std::move(*loaded.state);
  model_ = node_->models.of(key_.tenant);
  last_info_ = info_of(core_);
  last_compact_seq_ = core_.compact_seq;
  pace_ = loaded.pace;
  input::activated in;
  in.epoch = node_->log.epoch_of(key_);
  // What was read may lack what the claim before has left in between.
  if (in.epoch != epoch_asked_)
    return fail({codes::cluster_owner_lost, "the session is owned by another claim by now", 1});
  if (in.epoch == 0) return fail({codes::cluster_not_owner, "another node owns the session", 1});
  in.id_seed[0] = random_u64();
  in.id_seed[1] = random_u64();
  for (const auto& tool : core_.tools)
    if (node_->tools.idempotent(tool.call.tool_id, tool.call.inputs_json))
      in.idempotent.insert(tool.call.tool_call_id);
  feed(in);
}

void session_shell::feed(const session_input& in) {
  if (ending_ || failed_) return;
  if (node_->options.before_step) node_->options.before_step(key_, in);
  active_since_check_ = true;
  // Settings are taken over between model calls, so that one call sees one model.
  if (!core_.call) model_ = node_->models.of(key_.tenant);
  auto actions = step(core_, model_->rules, now_ms(), in);
  carry_out(actions.now);
  hand_over(std::move(actions));
  if (turn_is_timed_ && !core_.turn) {
    turn_is_timed_ = false;
    self_->send(tenant_, turn_over{key_.session});
  }
}

void session_shell::hand_over(session_actions actions) {
  auto op = make_op(actions);
  step_in_flight step;
  for (const auto& e : actions.append)
    if (const auto* delta = std::get_if<body::llm_delta>(&e.body))
      step.stream_bytes += delta->text.size();
  note_turn_ends(actions.append);
  step.then = std::move(actions.then);
  step.durable = op.events.empty() && op.idempotency.empty();
  if (step.durable) {
    if (step.then.empty()) return;
    if (in_flight_.empty()) return carry_out(step.then);
    in_flight_.push_back(std::move(step));
    return;
  }
  in_flight_.push_back(std::move(step));
  self_->request(node_->writer, caf::infinite, append_of(*node_, std::move(op)))
      .then([this](const append_outcome& outcome) { on_appended(outcome); },
            [this](caf::error&) {
              fail({codes::storage_unavailable, "the event writer is gone"});
            });
}

void session_shell::on_appended(const append_outcome& outcome) {
  if (failed_) return;
  if (!outcome.head) {
    const auto& why = outcome.head.error();
    // Where others write to its log, too, that it has moved on is no fault of the session's.
    if (why.code == codes::session_head_mismatch && node_->log.answers_later())
      return fail(
          {codes::cluster_owner_lost, "the session's log was moved on by another claim", 1});
    return fail(why);
  }
  do {
    auto step = std::move(in_flight_.front());
    in_flight_.pop_front();
    if (step.stream_bytes > 0 && stream_) self_->send(stream_, made_durable{step.stream_bytes});
    carry_out(step.then);
  } while (!in_flight_.empty() && in_flight_.front().durable);
  for (auto& waiting : activations_) waiting.deliver(activated{core_.busy()});
  activations_.clear();
  maybe_end();
  if (core_.closed) on_idle_check();  // nothing to stay for
}

// What was appended optimistically is not there: this incarnation's state is not the log's.
void session_shell::fail(const error& why) {
  if (failed_) return;
  failed_ = true;
  for (auto& [token, waiting] : asked_) {
    // Of a key that is taken only its own command has an answer; the others were not carried out.
    const bool other =
        why.code == codes::idempotency_exists && waiting.idempotency_key != why.parameter;
    waiting.answer.deliver(
        refused(other ? error(codes::server_busy, "the session is starting again", 1) : why));
  }
  asked_.clear();
  end_children();
  self_->send(tenant_, session_failed{key_.session, std::string(why.code), why.detail});
  // One that could not be read carried nothing out: whoever waits in its mailbox is told why, and
  // its tenant, which sends no more, ends it behind them.
  if (!loaded_)
    unread_.emplace(why);
  else
    self_->quit(caf::make_error(caf::sec::runtime_error, std::string(why.code)));
}

void session_shell::end_children() {
  if (stream_) self_->send_exit(stream_, caf::exit_reason::user_shutdown);
  for (auto& [id, tool] : tools_) self_->send_exit(tool, caf::exit_reason::user_shutdown);
}

// ---- actions ----

void session_shell::carry_out(std::vector<session_action>& actions) {
  for (auto& a : actions) std::visit([this](auto& one) { carry_out(one); }, a);
}

void session_shell::carry_out(action::reply& a) {
  const auto at = asked_.find(a.token);
  if (at == asked_.end()) return;
  if (a.what && !at->second.idempotency_key.empty())
    recent_keys_.push_back(
        {std::chrono::steady_clock::now(), std::move(at->second.idempotency_key)});
  at->second.answer.deliver(command_outcome(std::move(a.what)));
  asked_.erase(at);
}

void session_shell::carry_out(action::start_llm& a) {
  if (ending_) return;  // the next incarnation asks again
  // A stop may have been quicker than the disk.
  if (!core_.call || core_.call->request.invocation_id != a.invocation_id) return;
  stream_invocation_ = a.invocation_id;
  stream_ = self_->spawn<caf::monitored>(llm_stream, node_, session_actor(self_), key_,
                                         std::move(a), model_);
}

void session_shell::carry_out(action::cancel_llm& a) {
  if (stream_invocation_ != a.invocation_id) return;
  self_->send_exit(stream_, caf::exit_reason::user_shutdown);
  stream_ = nullptr;
  stream_invocation_.clear();
}

void session_shell::carry_out(action::start_tool& a) {
  const auto id = a.call.tool_call_id;
  const bool open = std::any_of(core_.tools.begin(), core_.tools.end(), [&](const open_tool& tool) {
    return tool.call.tool_call_id == id;
  });
  if (ending_ || !open) return;
  tools_[id] =
      self_->spawn<caf::monitored>(tool_call, node_, session_actor(self_),
                                   tools::tool_caller{key_, a.from.user_id, a.from.actor_json,
                                                      a.from.request_id, a.from.trace_id},
                                   std::move(a.call));
}

void session_shell::carry_out(action::cancel_tool& a) {
  const auto at = tools_.find(a.tool_call_id);
  if (at == tools_.end()) return;
  self_->send_exit(at->second, caf::exit_reason::user_shutdown);
  tools_.erase(at);
}

void session_shell::carry_out(action::arm_deadline& a) {
  // A short turn may be over before its beginning is durable.
  if (!core_.turn || core_.turn->turn_id != a.turn_id) return;
  turn_is_timed_ = true;
  turn_begun begun;
  begun.session = key_.session;
  begun.due = {a.turn_id, ++deadline_serial_};
  begun.after_s = a.after_s;
  self_->send(tenant_, std::move(begun));
}

void session_shell::carry_out(action::recall& a) {
  // A stop may have been quicker than the disk.
  if (ending_ || !core_.recalling || core_.recalling->turn_id != a.turn_id) return;
  asked_memory_ = {a.turn_id, ++recall_serial_, std::chrono::steady_clock::now()};
  // Both come back through the mailbox: this may be in the middle of a step.
  const session_actor me = self_;
  const auto serial = recall_serial_;
  if (!node_->recaller) return self_->send(me, memory_answered{serial, memory::recall_answer{}});
  self_->delayed_send(me, std::chrono::milliseconds(model_->rules.recall_ms), memory_late{serial});
  memory::recall_question question;
  question.key = key_;
  question.user = user_id(a.from.user_id);
  question.query = std::move(a.query);
  question.held_message_ids = std::move(a.held_message_ids);
  question.bytes_max = a.bytes_max;
  question.items_max = a.items_max;
  node_->recaller->recall(std::move(question), [me, serial](result<memory::recall_answer> answer) {
    caf::anon_send(me, memory_answered{serial, std::move(answer)});
  });
}

void session_shell::end_recall(input::recalled answer) {
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - asked_memory_->since;
  asked_memory_.reset();
  node_->probe.recalled(answer.items.size(), answer.degraded, took.count());
  feed(answer);
}

// ---- messages ----

void session_shell::on_memory_answered(memory_answered& m) {
  if (!asked_memory_ || asked_memory_->serial != m.serial) return;
  input::recalled told;
  told.turn_id = asked_memory_->turn_id;
  if (!m.answer) {
    told.degraded = true;
    told.why = m.answer.error().detail;
    return end_recall(std::move(told));
  }
  for (auto& item : m.answer->items)
    told.items.push_back({std::move(item.memory_id), std::move(item.text), std::move(item.kind),
                          std::move(item.session_id), std::move(item.message_id),
                          std::move(item.place_json), item.score, item.created_at_ms});
  told.degraded = m.answer->degraded;
  told.by_words_alone = m.answer->by_words_alone;
  told.why = std::move(m.answer->why);
  told.as_of = m.answer->as_of;
  end_recall(std::move(told));
}

void session_shell::on_memory_late(const memory_late& m) {
  if (!asked_memory_ || asked_memory_->serial != m.serial) return;
  input::recalled told;
  told.turn_id = asked_memory_->turn_id;
  told.degraded = true;
  told.why = "memory did not answer in time";
  end_recall(std::move(told));
}

std::optional<error> session_shell::twin_of_recent(const std::string& idempotency_key) {
  const auto old = std::chrono::steady_clock::now() - recent_keys_kept;
  while (!recent_keys_.empty() && recent_keys_.front().first < old) recent_keys_.pop_front();
  if (idempotency_key.empty()) return std::nullopt;
  if (std::any_of(asked_.begin(), asked_.end(),
                  [&](const auto& a) { return a.second.idempotency_key == idempotency_key; }))
    return error(codes::server_busy, "the first of these requests is under way", 1);
  if (std::any_of(recent_keys_.begin(), recent_keys_.end(),
                  [&](const auto& kept) { return kept.second == idempotency_key; }))
    return error(codes::idempotency_exists, "this request was carried out a moment ago")
        .about(idempotency_key);
  return std::nullopt;
}

caf::typed_response_promise<command_outcome> session_shell::on_command(session_command& command) {
  auto answer = self_->make_response_promise<command_outcome>();
  if (unread_) {
    answer.deliver(refused(*unread_));
  } else if (failed_) {
    answer.deliver(refused({codes::server_busy, "the session is starting again", 1}));
  } else if (ending_) {
    answer.deliver(refused({codes::server_shutting_down, "the server is stopping", 2}));
  } else if (node_->queued_bytes.load(std::memory_order_relaxed) >
             node_->limits.writer_queue_bytes) {
    answer.deliver(refused({codes::server_busy, "too much waits for the disk", 1}));
  } else if (const auto full = node_->refuses_more(key_.tenant);
             full && begins_something(command.what.what)) {
    answer.deliver(refused(*full));
  } else if (const auto twin = twin_of_recent(command.idempotency_key)) {
    answer.deliver(refused(*twin));
  } else {
    command.what.who.token = next_token_++;
    asked_[command.what.who.token] = {answer, std::move(command.idempotency_key),
                                      std::move(command.request_hash)};
    feed(command.what);
    if (!core_.exists()) on_idle_check();  // as when what was asked for is not there
  }
  return answer;
}

caf::typed_response_promise<activated> session_shell::on_activate() {
  auto answer = self_->make_response_promise<activated>();
  if (in_flight_.empty())
    answer.deliver(activated{core_.busy()});
  else
    activations_.push_back(answer);
  return answer;
}

context_outcome session_shell::on_context() const {
  if (unread_) return context_outcome(result<model_context>(*unread_));
  if (!core_.exists())
    return context_outcome(
        result<model_context>(error(codes::session_not_found, "there is no such session")));
  return context_outcome(result<model_context>(current_context(core_, model_->rules)));
}

void session_shell::on_deadline(const turn_deadline& due) {
  if (due.serial == deadline_serial_) feed(input::deadline{due.turn_id});
}

bool session_shell::at_rest() const {
  return in_flight_.empty() && asked_.empty() && !core_.call && core_.tools.empty() &&
         ((!core_.turn && !core_.recalling) || core_.paused);
}

void session_shell::on_idle_check() {
  if (failed_ || ending_) return;
  const bool gone = core_.closed || !core_.exists();
  if (at_rest() && (!active_since_check_ || gone)) {
    self_->send(tenant_, wants_to_leave{key_.session});
    return;
  }
  active_since_check_ = false;
}

void session_shell::on_may_leave() {
  const bool gone = core_.closed || !core_.exists();
  if (at_rest() && (!active_since_check_ || gone)) {
    ending_ = true;
    end_children();
    return leave();
  }
  self_->send(tenant_, stays{key_.session});
  active_since_check_ = false;
}

// Whether what it leaves for the next activation is kept or not, it goes.
void session_shell::leave() {
  storage::append_op op;
  op.key = key_;
  op.expected_seq = core_.seq;
  if (!pace_.due_on_leaving(core_.seq) || !take_snapshot(op)) return self_->quit();
  self_->request(node_->writer, caf::infinite, append_of(*node_, std::move(op)))
      .then([this](const append_outcome&) { self_->quit(); },
            [this](caf::error&) { self_->quit(); });
}

// What runs must not go on where another may do it again.
void session_shell::on_ownership_changed() {
  if (loaded_ && core_.epoch != node_->log.epoch_of(key_))
    fail({codes::cluster_owner_lost, "this node ceased to own the session", 1});
}

void session_shell::on_end_incarnation() {
  if (unread_)
    return self_->quit(caf::make_error(caf::sec::runtime_error, std::string(unread_->code)));
  if (ending_ || failed_) return;
  ending_ = true;
  end_children();
  maybe_end();
}

void session_shell::maybe_end() {
  if (ending_ && in_flight_.empty()) self_->quit();
}

void session_shell::on_child_down(const caf::down_msg& down) {
  if (ending_ || failed_) return;
  if (stream_ && down.source == stream_.address()) {
    const auto invocation = std::move(stream_invocation_);
    stream_ = nullptr;
    stream_invocation_.clear();
    // After its normal end the core no longer knows the invocation and ignores this.
    input::llm_failed gone;
    gone.invocation_id = invocation;
    gone.what = {std::string(codes::internal), "the model stream failed inside the server", true};
    return feed(gone);
  }
  for (auto at = tools_.begin(); at != tools_.end(); ++at) {
    if (down.source != at->second.address()) continue;
    input::tool_done gone;
    gone.tool_call_id = at->first;
    gone.status = "error";
    gone.error =
        failure{std::string(codes::internal), "the tool call failed inside the server", false};
    tools_.erase(at);
    return feed(gone);
  }
}

session_actor::behavior_type session(session_shell::pointer self, node_services* node,
                                     tenant_actor tenant, session_key key) {
  auto& shell = self->state;
  shell.start(self, node, std::move(tenant), std::move(key));
  return {
      [&shell](session_command& command) { return shell.on_command(command); },
      [&shell](const activate_request&) { return shell.on_activate(); },
      [&shell](const context_request&) { return shell.on_context(); },
      [&shell](const stream_piece& m) { shell.feed(m.piece); },
      [&shell](const stream_done& m) { shell.feed(m.done); },
      [&shell](const stream_failed& m) { shell.feed(m.failed); },
      [&shell](const tool_said& m) { shell.feed(m.output); },
      [&shell](const tool_ended& m) { shell.feed(m.done); },
      [&shell](const turn_deadline& m) { shell.on_deadline(m); },
      [&shell](memory_answered& m) { shell.on_memory_answered(m); },
      [&shell](const memory_late& m) { shell.on_memory_late(m); },
      [&shell](const idle_check&) { shell.on_idle_check(); },
      [&shell](const may_leave&) { shell.on_may_leave(); },
      [&shell](const end_incarnation&) { shell.on_end_incarnation(); },
      [&shell](const ownership_changed&) { shell.on_ownership_changed(); },
  };
}

}  // namespace soma::actors
