// POST /v1/feedback.
#include <boost/json.hpp>

#include "core/command_codec.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

feedback feedback_in(const json::object& body) {
  feedback said{text_of(body, "message_id"), text_of(body, "rating"), {}, text_of(body, "comment")};
  if (const auto* tags = body.if_contains("tags"))
    for (const auto& tag : tags->as_array()) said.tags.emplace_back(tag.as_string());
  return said;
}

asio::awaitable<response> give_feedback(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  const session_id session(text_of(body, "session_id"));
  auto gate = co_await enter_once(g, ctx, idempotency_key_of(ctx));
  if (!gate) co_return problem(gate.error(), ctx);
  input::command what = input::feedback{feedback_in(body)};
  auto reply = co_await g.services.command(admitted_of(ctx), session, std::move(what), &*gate);
  if (!reply) co_return problem(reply.error(), ctx);
  response answer(202);
  json_writer w(answer.body);
  w.begin_object().field("session_id", session.value).field("message_id", reply->message_id);
  w.field("event_id", to_string(reply->event)).field("status", "recorded").end_object();
  mark_replayed(answer, *gate);
  co_return answer;
}

}  // namespace

void add_feedback_routes(router& routes, gateway& g) {
  add_operation(routes, g, "give_feedback", give_feedback);
}

}  // namespace soma::http
