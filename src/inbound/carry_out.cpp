#include "inbound/carry_out.hpp"

#include <algorithm>

#include "app/messages.hpp"
#include "app/named_user.hpp"
#include "core/uuid.hpp"

namespace soma::inbound {
namespace {

constexpr int accepted = 202;  // as POST of a message answers

// Never more than a user: whose sessions he sees is the user's whom the record names.
app::caller caller_of(const inbound_message& message, std::size_t io_thread) {
  app::caller who;
  who.tenant = tenant_id(message.tenant);
  who.user = user_id(message.user);
  who.role = app::role::user;
  who.door = app::door::kafka;
  who.request_id = message.request_id;
  who.trace_id = message.trace_id;
  if (who.trace_id.empty()) {
    who.trace_id = new_uuid();
    std::erase(who.trace_id, '-');
  }
  who.parent_span_id = message.parent_span_id;
  who.io_thread = io_thread;
  return who;
}

}  // namespace

boost::asio::awaitable<result<carried_out>> carry_out(app::services& s, other_nodes* others,
                                                      inbound_message message,
                                                      std::size_t io_thread) {
  const auto who = caller_of(message, io_thread);
  auto may = co_await app::let_in_by_name(s, who);
  if (!may) co_return may.error();
  if (others) {
    auto handed = co_await others->hand_over(who, message);
    if (handed) co_return std::move(*handed);
  }
  const auto& what = app::operation_named("send_message");
  auto in = co_await app::admit(s, who, what, message.session);
  if (!in) co_return in.error();
  app::once_key key;
  key.key = std::move(message.idempotency_key);
  app::new_message wanted;
  wanted.session = session_id(std::move(message.session));
  wanted.persona_id = std::move(message.persona_id);
  wanted.text = std::move(message.text);
  wanted.attachments = std::move(message.attachments);
  auto sent = co_await app::send_message(s, *in, std::move(key), std::move(wanted));
  in->ended(sent.has_value(), sent ? accepted : 0);
  if (!sent) co_return sent.error();
  in->about(sent->what.session_id);
  carried_out done;
  done.session = std::move(sent->what.session_id);
  done.replayed = sent->replayed;
  co_return done;
}

}  // namespace soma::inbound
