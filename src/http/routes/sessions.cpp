// Sessions: make, list, read, rename, delete, reset, pause, history, context window.
#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "actors/log_reader.hpp"
#include "app/on_lane.hpp"
#include "core/codes.hpp"
#include "core/command_codec.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::size_t list_limit_default = 50, list_limit_max = 200, search_characters_max = 200;

// The bytes that begin one; the text is UTF-8.
std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string text_member(const json::value& body, std::string_view name) {
  const auto* object = body.if_object();  // none: an empty body
  return object ? text_of(*object, name) : std::string();
}

error bad_parameter(std::string_view name) {
  return error(codes::request_invalid_parameter,
               "the parameter cannot be read: " + std::string(name))
      .about(name);
}

asio::awaitable<response> create_session(gateway& g, request_context& ctx) {
  const auto key = idempotency_key_of(ctx);
  auto gate = co_await enter_once(g, ctx, key);
  if (!gate) co_return problem(gate.error(), ctx);
  const session_id fresh(new_uuid());  // the kept answer of a twin names another
  input::command open =
      input::open{text_member(ctx.json, "persona_id"), text_member(ctx.json, "title")};
  auto reply = co_await g.services.command(admitted_of(ctx), fresh, std::move(open), &*gate);
  if (!reply) co_return problem(reply.error(), ctx);
  const session_id session(
      !reply->session_id.empty()
          ? reply->session_id  // an answer of the version before names none
          : app::derived_uuid({"create", ctx.caller.tenant.value, ctx.caller.user.value, key}));
  storage::session_info info;
  info.title = reply->title;
  info.persona_id = reply->persona_id;
  info.created_at_ms = info.updated_at_ms = reply->created_at_ms;
  response answer(201, session_json(session, info, reply->event));
  answer.headers.emplace_back("Location", "/v1/sessions/" + session.value);
  mark_replayed(answer, *gate);
  co_return answer;
}

asio::awaitable<response> list_sessions(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  const auto limit = query.take("limit"), cursor = query.take("cursor"), q = query.take("q");
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  if (q && characters_of(*q) > search_characters_max)
    co_return problem(
        error(codes::request_invalid_parameter, "q is longer than 200 characters").about("q"), ctx);
  storage::session_list_options options;
  options.limit = list_limit_default;
  if (limit) {
    const auto [end, ec] =
        std::from_chars(limit->data(), limit->data() + limit->size(), options.limit);
    if (ec != std::errc{} || end != limit->data() + limit->size() || options.limit < 1 ||
        options.limit > list_limit_max)
      co_return problem(bad_parameter("limit"), ctx);
  }
  if (cursor && cursor->empty()) co_return problem(bad_parameter("cursor"), ctx);
  if (cursor) options.cursor = *cursor;
  if (q) options.query = *q;
  auto look = [log = &g.services.node.log, tenant = ctx.caller.tenant, options] {
    return log->list(tenant, options);
  };
  // A search may look at many rows to find few.
  auto& lane = options.query.empty() ? g.services.lanes.pages : g.services.lanes.longer;
  auto page = co_await app::on_lane(lane, look);
  if (!page) co_return problem(page.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("sessions").begin_array();
  for (const auto& row : page->sessions)
    w.raw(session_json(row.session, row.head.info, row.head.last_id()));
  w.end_array().key("next_cursor");
  if (page->next_cursor.empty())
    w.null();
  else
    w.string(page->next_cursor);
  w.end_object();
  co_return answer;
}

asio::awaitable<response> show_session(gateway& g, request_context& ctx) {
  const auto key = key_of(ctx);
  auto head = co_await g.services.head(key);
  if (!head) co_return problem(head.error(), ctx);
  co_return response(200, session_json(key.session, head->info, head->last_id()));
}

asio::awaitable<response> update_session(gateway& g, request_context& ctx) {
  const auto key = key_of(ctx);
  input::command rename = input::rename{text_member(ctx.json, "title")};
  auto reply = co_await g.services.command(admitted_of(ctx), key.session, std::move(rename));
  if (!reply) co_return problem(reply.error(), ctx);
  co_return co_await show_session(g, ctx);
}

asio::awaitable<response> delete_session(gateway& g, request_context& ctx) {
  const auto key = key_of(ctx);
  input::command remove = input::remove{};
  auto reply = co_await g.services.command(admitted_of(ctx), key.session, std::move(remove));
  if (!reply) co_return problem(reply.error(), ctx);
  co_return response(204);
}

asio::awaitable<response> reset_session(gateway& g, request_context& ctx) {
  const auto key = key_of(ctx);
  input::command reset = input::reset{};
  auto reply = co_await g.services.command(admitted_of(ctx), key.session, std::move(reset));
  if (!reply) co_return problem(reply.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().field("session_id", key.session.value);
  w.field("event_id", to_string(reply->event)).end_object();
  co_return answer;
}

asio::awaitable<response> pause_session(gateway& g, request_context& ctx) {
  const auto key = key_of(ctx);
  input::pause pause;
  if (ctx.json.is_object())
    if (const auto* paused = ctx.json.as_object().if_contains("paused"))
      pause.paused = paused->as_bool();
  input::command what = pause;
  auto reply = co_await g.services.command(admitted_of(ctx), key.session, std::move(what));
  if (!reply) co_return problem(reply.error(), ctx);
  auto at = reply->event;
  if (at.seq == 0) {  // it was so already
    auto head = co_await g.services.head(key);
    if (!head) co_return problem(head.error(), ctx);
    at = head->last_id();
  }
  response answer;
  json_writer w(answer.body);
  w.begin_object().field("session_id", key.session.value).field_bool("paused", reply->paused);
  w.field("event_id", to_string(at)).end_object();
  co_return answer;
}

// ---- history and context ----

void append_markdown(std::string& out, const session_state& state) {
  auto say = [&out](std::string_view who, std::string_view text) {
    out.append("**").append(who).append("**\n\n").append(text).append("\n\n");
  };
  auto turn_text = [&](const turn_record& turn) {
    say("User", turn.user_text);
    for (const auto& line : turn.lines) {
      if (!line.tool_call_id.empty())
        say("Tool", "```json\n" + line.text + "\n```");
      else if (!line.text.empty())
        say("Assistant", line.text);
      for (const auto& call : line.tool_calls)
        say("Tool call", "`" + call.tool_id + "` `" + call.inputs_json + "`");
    }
  };
  for (const auto& turn : state.turns) turn_text(turn);
  if (state.call && !state.call->text.empty()) say("Assistant", state.call->text + " …");
  for (const auto& turn : state.queue) turn_text(turn);
}

asio::awaitable<response> get_history(gateway& g, request_context& ctx) {
  const auto place = g.histories.enter(ctx.caller.tenant);
  if (!place) co_return problem(error(codes::server_busy, "many histories are being read", 1), ctx);
  const auto key = key_of(ctx);
  auto head = co_await g.services.head(key);
  if (!head) co_return problem(head.error(), ctx);
  auto fold = [log = &g.services.node.log, key] { return actors::fold_log(*log, key); };
  auto state = co_await app::on_lane(g.services.lanes.longer, fold);
  if (!state) co_return problem(state.error(), ctx);
  std::string markdown;
  append_markdown(markdown, **state);
  response answer;
  json_writer w(answer.body);
  w.begin_object().field("history", markdown).field("tokens", estimate_tokens(markdown));
  w.field("last_event_id", to_string(event_id{(*state)->epoch, (*state)->seq}));
  w.end_object();
  co_return answer;
}

asio::awaitable<response> get_context_window(gateway& g, request_context& ctx) {
  const auto key = key_of(ctx);
  auto head = co_await g.services.head(key);
  if (!head) co_return problem(head.error(), ctx);
  actors::context_request request;
  request.key = key;
  auto asked =
      co_await g.services.ask_tenant<actors::context_outcome>(ctx.caller, std::move(request));
  if (!asked) co_return problem(asked.error(), ctx);
  if (!asked->context) co_return problem(asked->context.error(), ctx);
  const auto& context = *asked->context;
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("parts").begin_array();
  for (const auto& part : context.parts) {
    w.begin_object().field("kind", part.kind).field("role", part.role);
    w.field_if("message_id", part.message_id).field_if("turn_id", part.turn_id);
    w.field("text", part.text).field("tokens", part.tokens).end_object();
  }
  w.end_array().field("tokens", context.tokens);
  w.field("context_window", g.services.node.model(key.tenant)->rules.context_window);
  w.field("left_out_messages", context.left_out_messages);
  w.field("shortened_results", context.shortened_results).end_object();
  co_return answer;
}

}  // namespace

void add_session_routes(router& routes, gateway& g) {
  add_operation(routes, g, "create_session", create_session);
  add_operation(routes, g, "list_sessions", list_sessions);
  add_operation(routes, g, "get_session", show_session);
  add_operation(routes, g, "update_session", update_session);
  add_operation(routes, g, "delete_session", delete_session);
  add_operation(routes, g, "reset_session", reset_session);
  add_operation(routes, g, "pause_session", pause_session);
  add_operation(routes, g, "get_history", get_history);
  add_operation(routes, g, "get_context_window", get_context_window);
}

}  // namespace soma::http
