// What a session hands to the writer.
#include <utility>

#include "actors/session.hpp"
#include "actors/session_info.hpp"
#include "core/command_codec.hpp"
#include "core/time.hpp"
#include "memory/item.hpp"
#include "memory/rating.hpp"
#include "storage/attachment_rows.hpp"
#include "storage/feedback_rows.hpp"

namespace soma::actors {

storage::append_op session_shell::make_op(session_actions& actions) {
  storage::append_op op;
  op.key = key_;
  op.epoch = core_.epoch;
  op.expected_seq = core_.seq - actions.append.size();
  op.events.reserve(actions.append.size());
  for (const auto& e : actions.append) {
    op.events.push_back({e.meta.id.seq, e.type(), encode(e)});
    pace_.appended(op.events.back().json.size());
    storage::add_attachment_uses(op.documents, key_, e.body);
    memory::add_feedback(op, e, node_->remembering.replicated);
  }
  memory::add_remembered(op, key_, core_.owner, actions.append, node_->remembering);
  if (!tells(last_info_, core_)) op.info = last_info_ = info_of(core_);
  if (core_.compact_seq != last_compact_seq_)
    op.compact_seq = last_compact_seq_ = core_.compact_seq;
  op.first_seq = actions.first_seq;
  op.remove = actions.remove;
  if (!op.events.empty() && !op.first_seq && pace_.due(core_.seq)) take_snapshot(op);
  // What was said of answers and what turns were told goes with them, and the snapshot.
  if (op.remove || op.first_seq) {
    memory::add_forgotten(op, key_, op.remove && !actions.keep_memories);
    op.gone.push_back({std::string(storage::feedback_collection), storage::feedback_prefix(key_)});
    pace_.taken(core_.seq, 0);
  }
  if (op.remove) op.documents.push_back(storage::session_gone_row(key_));
  for (const auto& a : actions.then) {
    const auto* reply = std::get_if<action::reply>(&a);
    if (!reply || !reply->what) continue;
    const auto at = asked_.find(reply->token);
    if (at == asked_.end() || at->second.idempotency_key.empty()) continue;
    op.idempotency.push_back({at->second.idempotency_key, at->second.request_hash, 0,
                              encode(*reply->what), now_ms(), node_->limits.idempotency_ttl_ms});
  }
  return op;
}

// In the atom of the append: it never says more than the log. Not while a model speaks (of a
// finished answer the deltas are not read), but where it was asked and has said nothing: a session
// whose queue is never empty has no other moment. False: there is none.
bool session_shell::take_snapshot(storage::append_op& op) {
  const bool busy = node_->queued_bytes > node_->limits.writer_queue_bytes / 2;
  const bool speaks = core_.call && (!core_.call->text.empty() || core_.call->thinking_bytes > 0);
  if (busy || op.remove || speaks || !core_.exists()) return false;
  auto bytes = encode_snapshot(core_);
  pace_.taken(core_.seq, bytes.size());
  if (bytes.size() > snapshot_bytes_max) return false;
  op.snapshot = std::move(bytes);
  return true;
}

// A turn ends with its final message; the model call that ended with it says how.
void session_shell::note_turn_ends(const std::vector<event>& appended) {
  bool ended = false;
  std::string_view reason = "cancelled";
  for (const auto& e : appended) {
    if (const auto* said = std::get_if<body::message_assistant>(&e.body)) ended |= said->final;
    if (const auto* call = std::get_if<body::llm_complete>(&e.body)) reason = call->finish_reason;
    if (std::holds_alternative<body::error>(e.body)) reason = "error";
  }
  if (ended) node_->probe.turn_ended(reason);
}

}  // namespace soma::actors
