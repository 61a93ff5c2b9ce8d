#include "actors/clearing.hpp"

#include "core/command_codec.hpp"
#include "memory/item.hpp"
#include "storage/attachment_rows.hpp"
#include "storage/feedback_rows.hpp"

namespace soma::actors {

bool clears(const session_command& command) {
  return std::holds_alternative<input::remove>(command.what.what) ||
         std::holds_alternative<input::reset>(command.what.what);
}

cleared_session clear_session(const session_command& command, const storage::session_head& head,
                              std::uint32_t epoch, std::int64_t now_ms) {
  const auto& from = command.what.who.from;
  const bool remove = std::holds_alternative<input::remove>(command.what.what);
  cleared_session out;
  out.op.key = command.key;
  out.op.epoch = epoch;
  out.op.expected_seq = head.seq;
  // It stays that of who made it.
  const auto& owner = head.info.user_id.empty() ? from.user_id : head.info.user_id;
  const auto emit = [&](event_body body, const std::string& user, std::string idempotency_key) {
    event e;
    e.meta.id = {epoch, head.seq + 1 + out.op.events.size()};
    e.meta.key = command.key;
    e.meta.user_id = user;
    e.meta.request_id = from.request_id;
    e.meta.trace_id = from.trace_id;
    e.meta.idempotency_key = std::move(idempotency_key);
    e.meta.created_at_ms = now_ms;
    e.body = std::move(body);
    out.op.events.push_back({e.meta.id.seq, e.type(), encode(e)});
    return e.meta.id;
  };
  out.reply.event = emit(body::session_close{remove ? "deleted" : "reset"}, from.user_id, {});
  out.reply.status = remove ? "deleted" : "reset";
  out.reply.session_id = command.key.session.value;
  out.reply.title = head.info.title;
  out.reply.persona_id = head.info.persona_id;
  out.reply.created_at_ms = head.info.created_at_ms;
  if (remove) {
    out.op.remove = true;
    out.op.documents.push_back(storage::session_gone_row(command.key));
  } else {
    out.reply.event = emit(body::session_open{head.info.persona_id, head.info.title, {}, {}}, owner,
                           command.what.who.idempotency_key);
    out.op.first_seq = out.reply.event.seq;
    // What said with whom it is shared goes with what is below.
    if (!head.info.sharing.is_private())
      emit(body::session_state{false, head.info.title, head.info.sharing}, owner, {});
    storage::session_info info;
    info.title = head.info.title;
    info.persona_id = head.info.persona_id;
    info.user_id = owner;
    info.sharing = head.info.sharing;
    info.created_at_ms = head.info.created_at_ms;
    info.updated_at_ms = now_ms;
    out.op.info = std::move(info);
  }
  const auto* removed = std::get_if<input::remove>(&command.what.what);
  memory::add_forgotten(out.op, command.key, removed && !removed->keep_memories);
  out.op.gone.push_back(
      {std::string(storage::feedback_collection), storage::feedback_prefix(command.key)});
  if (!command.idempotency_key.empty())
    out.op.idempotency.push_back(
        {command.idempotency_key, command.request_hash, 0, encode(out.reply), now_ms});
  return out;
}

}  // namespace soma::actors
