#include "app/cluster.hpp"
#include "app/conversation_json.hpp"
#include "app/copied_session.hpp"
#include "app/log_walk.hpp"
#include "app/services.hpp"
#include "app/session_copies.hpp"
#include "app/session_stager.hpp"
#include "core/codes.hpp"
#include "core/time.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

result<answered<conversation>> kept_conversation(const idempotency_gate::entry& gate) {
  auto kept = parse_conversation(gate.replay->response_json);
  if (!kept) return kept.error();
  return answered<conversation>(std::move(*kept), true);
}

// Whether a reader may have seen this id: its epoch wrote that seq, and it is still there.
bool holds(const session_head& head, event_id id) {
  return id.seq >= head.first_seq && id.seq <= head.seq && head.epoch_of(id.seq) == id.epoch;
}

}  // namespace

asio::awaitable<result<answered<conversation>>> fork_session(services& s, const admitted& in,
                                                             once_key key, session_id session,
                                                             std::string event_id_text) {
  const auto& who = in.who();
  const session_key from{who.tenant, std::move(session)};
  const auto last = parse_event_id(event_id_text);
  if (!last) co_return error(codes::event_id_malformed, "not an event id");
  const auto text = key.key;
  auto gate = co_await s.idempotency.enter(who, std::move(key));
  if (!gate) co_return gate.error();
  if (gate->replay) co_return kept_conversation(*gate);
  // Whoever makes a copy can read it.
  std::vector<std::string> what{from.session.value};
  auto may = co_await s.pipeline.ask(in, "conversation.read", what);
  if (!may) co_return may.error();
  auto head = co_await s.head(from);
  if (!head) co_return head.error();
  if (!holds(*head, *last))
    co_return error(codes::event_not_found, "the session has no such event");

  conversation made;
  made.session = fresh_session(s, who, text);
  copy_options options;
  options.to = {who.tenant, made.session};
  options.epoch = s.node.log.epoch_of(options.to);
  options.rename = renamer(made.session);
  options.forked_from_session = from.session.value;
  options.forked_from_event = event_id_text;
  options.opened_by = origin_of(who);
  options.opened_at_ms = now_ms();
  session_stager stager(s, who.io_thread, std::move(options), s.lanes.longer);
  auto walk = std::make_shared<log_walk>(s.node.log, from, head->first_seq, last->seq);
  session_stager::source next = [walk](const session_stager::taker& take) -> result<bool> {
    auto events = walk->next();
    if (!events) return events.error();
    for (const auto& stored : *events) {
      auto e = decode(stored.json);
      if (!e) return e.error();
      take(std::move(*e));
    }
    return events->empty();
  };
  auto done = co_await stager.copy_all(std::move(next));
  made.head.info = stager.info();
  made.head.info.updated_at_ms = made.head.info.created_at_ms;
  const auto last_id = stager.last_id();
  made.head.seq = last_id.seq;
  made.head.epochs = {{last_id.epoch, last_id.seq}};
  auto record =
      s.idempotency.record_of(*gate, 201, conversation_json(made.session, made.head.info, last_id));
  if (done) done = co_await stager.publish(made.head.info, std::move(record));
  if (!done) {
    auto kept = co_await give_up(s, stager, *gate, done.error());
    if (!kept) co_return kept.error();
    co_return kept_conversation(*gate);
  }
  co_return answered<conversation>(std::move(made), false);
}

}  // namespace soma::app
