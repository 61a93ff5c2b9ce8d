// Sessions: make, list, read, rename, delete, reset, pause, history, context window.
#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "app/aside.hpp"
#include "app/conversation_json.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/limits.hpp"
#include "http/net/file_answer.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/routes/parameters.hpp"

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

std::string json_of(const app::conversation& c) {
  return app::conversation_json(c.session, c.head.info, c.head.last_id());
}

std::string event_json(const session_id& session, event_id event) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("session_id", session.value).field("event_id", to_string(event));
  w.end_object();
  return out;
}

asio::awaitable<response> create_session(gateway& g, request_context& ctx) {
  auto key = once_key_of(ctx);
  if (!key) co_return problem(key.error(), ctx);
  input::open wanted{text_member(ctx.json, "persona_id"), text_member(ctx.json, "title")};
  auto made = co_await app::create_conversation(g.services, admitted_of(ctx), std::move(*key),
                                                std::move(wanted));
  if (!made) co_return problem(made.error(), ctx);
  ctx.admitted->about(made->what.session.value);
  response answer(201, json_of(made->what));
  answer.headers.emplace_back("Location", "/v1/sessions/" + made->what.session.value);
  mark_replayed(answer, made->replayed);
  co_return answer;
}

result<app::session_list_options> list_question(request_context& ctx) {
  query_reader query(ctx);
  const auto limit = query.take("limit"), cursor = query.take("cursor"), q = query.take("q");
  if (auto bad = query.rest()) return *bad;
  if (q && characters_of(*q) > search_characters_max)
    return error(codes::request_invalid_parameter, "q is longer than 200 characters").about("q");
  app::session_list_options options;
  auto rows = number_in(limit, "limit", list_limit_default, list_limit_max);
  if (!rows) return rows.error();
  options.limit = *rows;
  if (cursor && cursor->empty()) return unreadable_parameter("cursor");
  if (cursor) options.cursor = *cursor;
  if (q) options.query = *q;
  return options;
}

asio::awaitable<response> list_sessions(gateway& g, request_context& ctx) {
  auto asked = list_question(ctx);
  if (!asked) co_return problem(asked.error(), ctx);
  auto page = co_await app::list_conversations(g.services, ctx.caller, std::move(*asked));
  if (!page) co_return problem(page.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("sessions").begin_array();
  for (const auto& row : page->sessions)
    w.raw(app::conversation_json(row.session, row.head.info, row.head.last_id()));
  w.end_array().key("next_cursor");
  if (page->next_cursor.empty())
    w.null();
  else
    w.string(page->next_cursor);
  w.end_object();
  co_return answer;
}

asio::awaitable<response> show_session(gateway& g, request_context& ctx) {
  auto found = co_await app::find_conversation(g.services, ctx.caller, key_of(ctx).session);
  if (!found) co_return problem(found.error(), ctx);
  co_return response(200, json_of(*found));
}

app::conversation_change change_in(const json::object& body) {
  app::conversation_change wanted;
  if (body.contains("title")) wanted.title = text_of(body, "title");
  if (body.contains("visibility"))
    wanted.sharing.visible_to_tenant = text_of(body, "visibility") == "tenant";
  if (const auto* users = body.if_contains("shared_with")) {
    wanted.sharing.users.emplace();
    for (const auto& user : users->as_array())
      wanted.sharing.users->emplace_back(std::string_view(user.as_string()));
  }
  return wanted;
}

asio::awaitable<response> update_session(gateway& g, request_context& ctx) {
  auto wanted = change_in(ctx.json.as_object());
  auto changed = co_await app::change_conversation(g.services, *ctx.admitted, key_of(ctx).session,
                                                   std::move(wanted));
  if (!changed) co_return problem(changed.error(), ctx);
  co_return response(200, json_of(*changed));
}

asio::awaitable<response> delete_session(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  const auto memories = query.take("memories");
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  if (memories && *memories != "keep" && *memories != "delete")
    co_return problem(unreadable_parameter("memories"), ctx);
  const bool keep = memories == "keep";
  auto done =
      co_await app::delete_conversation(g.services, admitted_of(ctx), key_of(ctx).session, keep);
  if (!done) co_return problem(done.error(), ctx);
  co_return response(204);
}

asio::awaitable<response> reset_session(gateway& g, request_context& ctx) {
  const auto session = key_of(ctx).session;
  auto event = co_await app::reset_conversation(g.services, admitted_of(ctx), session);
  if (!event) co_return problem(event.error(), ctx);
  co_return response(200, event_json(session, *event));
}

asio::awaitable<response> pause_session(gateway& g, request_context& ctx) {
  const auto session = key_of(ctx).session;
  bool paused = true;
  if (ctx.json.is_object())
    if (const auto* given = ctx.json.as_object().if_contains("paused")) paused = given->as_bool();
  auto now = co_await app::pause_conversation(g.services, admitted_of(ctx), session, paused);
  if (!now) co_return problem(now.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().field("session_id", session.value).field_bool("paused", now->paused);
  w.field("event_id", to_string(now->event)).end_object();
  co_return answer;
}

// The answer around the text, which its end follows.
class history_answer final : public app::piece_source {
 public:
  explicit history_answer(std::shared_ptr<app::history_source> history)
      : history_(std::move(history)) {}

  asio::awaitable<result<std::string>> next() override {
    std::string bytes;
    if (over_) co_return bytes;
    const auto text = co_await history_->next();
    if (!text) co_return text.error();
    if (!std::exchange(begun_, true)) bytes = R"({"history":")";
    append_json_escaped(bytes, *text);
    over_ = history_->over();
    if (over_) {
      bytes += '"';
      bytes.append(R"(,"tokens":)").append(std::to_string(history_->tokens()));
      bytes.append(R"(,"last_event_id":")").append(to_string(history_->last())).append("\"}");
    }
    co_return bytes;
  }
  bool over() const { return over_; }

 private:
  const std::shared_ptr<app::history_source> history_;
  bool begun_ = false, over_ = false;
};

asio::awaitable<bool> send_history(std::string first, std::shared_ptr<history_answer> rest,
                                   response_stream& out) {
  // Not within the `if`: g++ 12 lays out a coroutine that begins so in two ways.
  const bool sent = co_await out.write(first);
  if (!sent) co_return false;
  first = {};
  co_return co_await send_pieces(rest, out);
}

asio::awaitable<response> get_history(gateway& g, request_context& ctx) {
  auto history = co_await app::read_history(g.services, ctx.caller, key_of(ctx).session);
  if (!history) co_return problem(history.error(), ctx);
  const auto pieces = std::make_shared<history_answer>(std::move(*history));
  auto first = co_await pieces->next();
  if (!first) co_return problem(first.error(), ctx);
  if (pieces->over()) co_return response(200, std::move(*first));
  response answer;
  answer.produce = [first = std::move(*first), pieces](response_stream& out) {
    return send_history(first, pieces, out);
  };
  co_return answer;
}

void write_context(std::string& out, const app::context_window& window) {
  const auto& context = window.context;
  json_writer w(out);
  w.begin_object().key("parts").begin_array();
  for (const auto& part : context.parts) {
    w.begin_object().field("kind", part.kind).field("role", part.role);
    w.field_if("message_id", part.message_id).field_if("turn_id", part.turn_id);
    w.field("text", part.text).field("tokens", part.tokens).end_object();
  }
  w.end_array().field("tokens", context.tokens).field("context_window", window.tokens_max);
  w.field("left_out_messages", context.left_out_messages);
  w.field("shortened_results", context.shortened_results).end_object();
}

asio::awaitable<response> get_context_window(gateway& g, request_context& ctx) {
  auto window = co_await app::read_context_window(g.services, ctx.caller, key_of(ctx).session);
  if (!window) co_return problem(window.error(), ctx);
  constexpr std::uint64_t bytes_of_a_token = 4;  // by our estimate
  const bool large = window->context.tokens * bytes_of_a_token > limits::http_body_on_io_bytes;
  auto answer = std::make_shared<response>();
  std::function<result<void>()> write = [answer, told = std::move(*window)] {
    write_context(answer->body, told);
    return result<void>();
  };
  auto written = result<void>();
  if (large)
    written = co_await app::run_aside(g.services, ctx.caller.tenant, std::move(write));
  else
    written = write();
  if (!written) co_return problem(written.error(), ctx);
  co_return std::move(*answer);
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
