// What leaves the node: dead letters, and comparing memories with what SomaBrain has.
#include "app/outgoing.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/routes/parameters.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

constexpr std::size_t list_usual = 50, list_max = 200;

void write_letter(json_writer& w, const app::dead_letter& one, bool with_payload) {
  w.begin_object().field("id", one.id).field("sink", one.sink).field_if("topic", one.topic);
  w.field("attempts", std::uint64_t{one.attempts});
  w.field("first_at", format_rfc3339(one.first_at_ms));
  w.field("last_at", format_rfc3339(one.last_at_ms)).field("last_error", one.last_error);
  w.field_if("session_id", one.session_id).field("bytes", std::uint64_t{one.payload.size()});
  if (with_payload) w.field("payload", one.payload);
  w.end_object();
}

asio::awaitable<response> list_dead_letters(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  const auto limit = query.take("limit"), cursor = query.take("cursor"), sink = query.take("sink");
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  auto rows = number_in(limit, "limit", list_usual, list_max);
  if (!rows) co_return problem(rows.error(), ctx);
  if (cursor && cursor->empty()) co_return problem(unreadable_parameter("cursor"), ctx);
  std::string behind(cursor.value_or("")), of(sink.value_or(""));
  auto page = co_await app::list_dead_letters(g.services, ctx.caller, std::move(of),
                                              std::move(behind), *rows);
  if (!page) co_return problem(page.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("rows").begin_array();
  for (const auto& one : page->rows) write_letter(w, one, false);
  w.end_array().key("next_cursor");
  if (page->next_cursor.empty())
    w.null();
  else
    w.string(page->next_cursor);
  w.end_object();
  co_return answer;
}

asio::awaitable<response> get_dead_letter(gateway& g, request_context& ctx) {
  std::string id(ctx.path_parameter("id"));
  auto found = co_await app::find_dead_letter(g.services, ctx.caller, std::move(id));
  if (!found) co_return problem(found.error(), ctx);
  response answer;
  json_writer w(answer.body);
  write_letter(w, *found, true);
  co_return answer;
}

asio::awaitable<response> requeue_dead_letter(gateway& g, request_context& ctx) {
  std::string id(ctx.path_parameter("id"));
  auto done = co_await app::requeue_dead_letter(g.services, admitted_of(ctx), std::move(id));
  if (!done) co_return problem(done.error(), ctx);
  co_return response(204);
}

asio::awaitable<response> delete_dead_letter(gateway& g, request_context& ctx) {
  std::string id(ctx.path_parameter("id"));
  auto done = co_await app::delete_dead_letter(g.services, admitted_of(ctx), std::move(id));
  if (!done) co_return problem(done.error(), ctx);
  co_return response(204);
}

asio::awaitable<response> sync_memory(gateway& g, request_context& ctx) {
  auto done = co_await app::sync_memories(g.services, admitted_of(ctx));
  if (!done) co_return problem(done.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().field_bool("configured", done->configured).field("looked_at", done->looked_at);
  w.field("queued", done->queued).field("gone", done->gone).end_object();
  co_return answer;
}

}  // namespace

void add_outgoing_routes(router& routes, gateway& g) {
  add_operation(routes, g, "list_dead_letters", list_dead_letters);
  add_operation(routes, g, "get_dead_letter", get_dead_letter);
  add_operation(routes, g, "requeue_dead_letter", requeue_dead_letter);
  add_operation(routes, g, "delete_dead_letter", delete_dead_letter);
  add_operation(routes, g, "sync_memory", sync_memory);
}

}  // namespace soma::http
