// POST /v1/session/message, /v1/session/{id}/message and /v1/session/action.
#include <boost/json.hpp>

#include "app/file_services.hpp"
#include "app/on_lane.hpp"
#include "app/tool_gateway.hpp"
#include "core/codes.hpp"
#include "core/command_codec.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/uuid.hpp"
#include "http/net/ascii.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "security/digest.hpp"

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

std::string message_answer(const command_reply& reply) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("envelope_id", app::derived_uuid({"envelope", reply.message_id}));
  w.field("session_id", reply.session_id).field("message_id", reply.message_id);
  w.field("event_id", to_string(reply.event)).field("status", "queued").end_object();
  return out;
}

// Small attachments that have a text are read before the model is asked; others when it asks.
std::vector<input::tool_request> read_at_once(gateway& g, const request_context& ctx,
                                              const std::vector<attachment_ref>& attached) {
  constexpr std::string_view ingest = "document_ingest";
  constexpr std::uint64_t bytes_max = 512 * 1024;
  std::vector<input::tool_request> calls;
  const auto set = g.services.tools.catalog.of(ctx.caller.tenant);
  const auto* entry = set->find(ingest);
  const auto why = g.services.tools.runner.unavailable(ctx.caller.tenant, ingest);
  if (!entry || !entry->enabled || !why.empty()) return calls;
  for (const auto& one : attached) {
    if (one.size_bytes > bytes_max || one.content_type.starts_with("image/")) continue;
    json::object inputs{{"attachment_id", one.id}};
    calls.push_back({std::string(ingest), json::serialize(inputs)});
  }
  return calls;
}

// Of what is asked, whichever route and spelling it came by.
std::string request_hash(const session_id& session, const json::object& body,
                         std::string_view text) {
  std::string typed;
  json_writer w(typed);
  w.begin_object().field("session", session.value).field("text", text);
  w.field("persona_id", text_of(body, "persona_id")).key("attachments").begin_array();
  for (const auto& id : attachments_of(body)) w.string(id);
  w.end_array().end_object();
  return security::hex(security::bytes_of(security::sha256(typed)));
}

std::string session_in(std::string_view answer) {
  boost::system::error_code ec;
  const auto value = json::parse({answer.data(), answer.size()}, ec);
  return ec || !value.is_object() ? std::string() : text_of(value.get_object(), "session_id");
}

asio::awaitable<response> send_message(gateway& g, request_context& ctx, session_id session) {
  const auto& body = ctx.json.as_object();
  const auto named = text_of(body, "session_id");
  if (!named.empty() && !iequals(named, session.value))
    co_return problem(error(codes::request_invalid, "session_id is not the path's"), ctx);
  const auto key = idempotency_key_of(ctx, text_of(body, "idempotency_key"));
  input::message message;
  message.text = text_of(body, body.contains("message") ? "message" : "content");
  auto hash = key.empty() ? std::string() : request_hash(session, body, message.text);
  // The one that an answer means which the version before kept, without naming it.
  const auto before =
      !session.empty()
          ? session.value
          : app::derived_uuid({"session", ctx.caller.tenant.value, ctx.caller.user.value, key});
  std::function<bool(const storage::idempotency_record&)> made_it;
  if (session.empty()) {
    // Never one that was there before. The same request sent twice makes no second one: its key is
    // kept with the session's first events or not at all, and the kept answer names the session.
    session = session_id(new_uuid());
    message.create = input::open{text_of(body, "persona_id"), {}};
  } else if (!key.empty()) {
    // Who was told which session was made may name it when asking again.
    made_it = [unnamed = request_hash({}, body, message.text),
               made = session.value](const storage::idempotency_record& kept) {
      return kept.request_hash == unnamed && session_in(kept.response_json) == made;
    };
  }
  auto gate = co_await enter_once(g, ctx, key, std::move(hash), "send_message", std::move(made_it));
  if (!gate) co_return problem(gate.error(), ctx);
  if (auto ids = attachments_of(body); !ids.empty() && !gate->replay) {
    auto may = co_await g.services.pipeline.ask(admitted_of(ctx), "attachment.read", ids);
    if (!may) co_return problem(may.error(), ctx);
    auto look = [&store = g.services.files.attachments, tenant = ctx.caller.tenant,
                 ids = std::move(ids)] { return store.name(tenant, ids); };
    auto named = co_await app::on_lane(g.services.files.reads, look);
    if (!named) co_return problem(named.error(), ctx);
    message.attachments = std::move(*named);
    message.prepare = read_at_once(g, ctx, message.attachments);
  }
  input::command what = std::move(message);
  auto reply = co_await g.services.command(admitted_of(ctx), session, std::move(what), &*gate);
  if (!reply) co_return problem(reply.error(), ctx);
  if (reply->session_id.empty()) reply->session_id = before;
  response answer(202, message_answer(*reply));
  mark_replayed(answer, *gate);
  co_return answer;
}

// ---- actions ----

std::string action_answer(const session_id& session, std::string_view action,
                          const command_reply& reply) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("session_id", session.value).field("action", action);
  if (reply.event.seq > 0) w.field("event_id", to_string(reply.event));
  // What begins a model call goes on as events.
  w.field("status", reply.status == "running" ? "started" : "done").end_object();
  return out;
}

input::command command_of(std::string_view action, std::string tool_call_id) {
  if (action == "stop") return input::stop{std::move(tool_call_id)};
  if (action == "pause") return input::pause{true};
  if (action == "resume") return input::pause{false};
  if (action == "retry") return input::retry{};
  if (action == "summarize") return input::summarize{};
  return input::nudge{};
}

asio::awaitable<response> session_action(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  const session_id session(text_of(body, "session_id"));
  const auto action = text_of(body, "action");
  if (action == "restart") {
    const session_key key{ctx.caller.tenant, session};
    auto head = co_await g.services.head(key);
    if (!head) co_return problem(head.error(), ctx);
    actors::restart_request request;
    request.key = key;
    request.from = app::origin_of(ctx.caller);
    auto done =
        co_await g.services.ask_tenant<actors::command_outcome>(ctx.caller, std::move(request));
    if (!done) co_return problem(done.error(), ctx);
    if (!done->reply) co_return problem(done->reply.error(), ctx);
    co_return response(200, action_answer(session, action, *done->reply));
  }
  auto command = command_of(action, text_of(body, "tool_call_id"));
  auto reply = co_await g.services.command(admitted_of(ctx), session, std::move(command));
  if (!reply) co_return problem(reply.error(), ctx);
  co_return response(200, action_answer(session, action, *reply));
}

}  // namespace

void add_message_routes(router& routes, gateway& g) {
  handler to_any = [&g](request_context& ctx) {
    return send_message(g, ctx, session_id(text_of(ctx.json.as_object(), "session_id")));
  };
  handler to_one = [&g](request_context& ctx) {
    return send_message(g, ctx, session_id(std::string(ctx.path_parameter("id"))));
  };
  add_operation(routes, g, "send_message", std::move(to_any));
  add_operation(routes, g, "send_session_message", std::move(to_one));
  add_operation(routes, g, "session_action", session_action);
}

}  // namespace soma::http
