// POST /v1/session/message, /v1/session/{id}/message, /v1/session/action and /v1/feedback.
#include "app/messages.hpp"

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "http/net/ascii.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

std::vector<std::string> attachments_of(const json::object& body) {
  std::vector<std::string> ids;
  const auto* list = body.if_contains("attachments");
  if (!list || !list->is_array()) return ids;
  for (const auto& item : list->as_array()) {
    auto id = text_of(item.as_object(), "id");
    ids.push_back(id.empty() ? text_of(item.as_object(), "attachment_id") : std::move(id));
  }
  return ids;
}

std::string message_json(const command_reply& reply) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("envelope_id", app::envelope_id(reply));
  w.field("session_id", reply.session_id).field("message_id", reply.message_id);
  w.field("event_id", to_string(reply.event)).field("status", "queued").end_object();
  return out;
}

asio::awaitable<response> send_message(gateway& g, request_context& ctx, session_id session) {
  const auto& body = ctx.json.as_object();
  const auto named = text_of(body, "session_id");
  if (!named.empty() && !iequals(named, session.value))
    co_return problem(error(codes::request_invalid, "session_id is not the path's"), ctx);
  auto key = once_key_of(ctx, text_of(body, "idempotency_key"));
  if (!key) co_return problem(key.error(), ctx);
  app::new_message wanted;
  wanted.session = std::move(session);
  wanted.persona_id = text_of(body, "persona_id");
  wanted.text = text_of(body, body.contains("message") ? "message" : "content");
  wanted.attachments = attachments_of(body);
  auto sent =
      co_await app::send_message(g.services, admitted_of(ctx), std::move(*key), std::move(wanted));
  if (!sent) co_return problem(sent.error(), ctx);
  ctx.admitted->about(sent->what.session_id);  // the one that was made, where none was named
  response answer(202, message_json(sent->what));
  mark_replayed(answer, sent->replayed);
  co_return answer;
}

asio::awaitable<response> session_action(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  app::session_action wanted;
  wanted.session = session_id(text_of(body, "session_id"));
  wanted.action = text_of(body, "action");
  wanted.tool_call_id = text_of(body, "tool_call_id");
  auto reply = co_await app::act_on_session(g.services, admitted_of(ctx), wanted);
  if (!reply) co_return problem(reply.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().field("session_id", wanted.session.value).field("action", wanted.action);
  if (reply->event.seq > 0) w.field("event_id", to_string(reply->event));
  // What begins a model call goes on as events.
  w.field("status", reply->status == "running" ? "started" : "done").end_object();
  co_return answer;
}

feedback feedback_in(const json::object& body) {
  feedback said{text_of(body, "message_id"), text_of(body, "rating"), {}, text_of(body, "comment")};
  if (const auto* tags = body.if_contains("tags"))
    for (const auto& tag : tags->as_array()) said.tags.emplace_back(tag.as_string());
  return said;
}

asio::awaitable<response> give_feedback(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  const session_id session(text_of(body, "session_id"));
  auto key = once_key_of(ctx);
  if (!key) co_return problem(key.error(), ctx);
  auto said = feedback_in(body);
  auto given = co_await app::give_feedback(g.services, admitted_of(ctx), std::move(*key), session,
                                           std::move(said));
  if (!given) co_return problem(given.error(), ctx);
  response answer(202);
  json_writer w(answer.body);
  w.begin_object().field("session_id", session.value).field("message_id", given->what.message_id);
  w.field("event_id", to_string(given->what.event)).field("status", "recorded").end_object();
  mark_replayed(answer, given->replayed);
  co_return answer;
}

}  // namespace

void add_message_routes(router& routes, gateway& g) {
  handler to_any = [&g](request_context& ctx) {
    return send_message(g, ctx, session_id(text_of(ctx.json.as_object(), "session_id")));
  };
  handler to_one = [&g](request_context& ctx) { return send_message(g, ctx, key_of(ctx).session); };
  add_operation(routes, g, "send_message", std::move(to_any));
  add_operation(routes, g, "send_session_message", std::move(to_one));
  add_operation(routes, g, "session_action", session_action);
  add_operation(routes, g, "give_feedback", give_feedback);
}

}  // namespace soma::http
