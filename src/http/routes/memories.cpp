// Memories: list, search, show, note, change, forget, recall, and how far the index is.
#include <boost/json.hpp>
#include <charconv>

#include "app/memories.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/net/file_answer.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/routes/parameters.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::size_t list_usual = 50, list_max = 200, found_usual = 20, found_max = 100;
constexpr std::size_t question_bytes_max = 8192;

void write_item(json_writer& w, const app::memory_item& it, const double* score = nullptr) {
  w.begin_object().field("memory_id", it.memory_id).field("kind", it.kind).field("text", it.text);
  if (it.cut) w.field_bool("cut", true);
  w.field_if("role", it.role).key("tags").begin_array();
  for (const auto& tag : it.tags) w.string(tag);
  w.end_array().key("importance").real(it.importance).field_bool("pinned", it.pinned);
  w.field_if("session_id", it.session_id).field_if("message_id", it.message_id);
  w.field_if("tool_call_id", it.tool_call_id).field_if("attachment_id", it.attachment_id);
  if (!it.place_json.empty()) w.key("place").raw(it.place_json);
  w.field("owner", it.owner).field("created_at", format_rfc3339(it.created_at_ms));
  w.field("updated_at", format_rfc3339(it.updated_at_ms));
  if (it.expires_at_ms > 0) w.field("expires_at", format_rfc3339(it.expires_at_ms));
  w.field("state", it.state);
  if (score) w.key("score").real(*score);
  w.end_object();
}

response item_answer(const app::shown_memory& shown, int status = 200) {
  response answer(status);
  json_writer w(answer.body);
  write_item(w, shown.what);
  answer.headers.emplace_back("ETag", shown.etag);
  return answer;
}

std::vector<std::string> texts_of(const json::object& body, std::string_view name) {
  std::vector<std::string> out;
  if (const auto* all = body.if_contains(name))
    for (const auto& one : all->as_array()) out.emplace_back(one.as_string());
  return out;
}

// None: nothing is said of it; 0: never.
result<std::optional<std::int64_t>> expiry_of(const json::object& body) {
  using answer = std::optional<std::int64_t>;
  const auto* given = body.if_contains("expires_at");
  if (!given) return answer();
  if (given->is_null()) return answer(0);
  const auto at = time_in(std::string_view(given->as_string()));
  if (at <= now_ms())
    return error(codes::request_invalid, "expires_at must lie in the future").about("expires_at");
  return answer(at);
}

// What list and search have in common.
result<app::item_filter> filter_of(query_reader& query) {
  app::item_filter filter;
  const auto text = [&](std::string_view name) {
    const auto given = query.take(name);
    return given ? std::string(*given) : std::string();
  };
  if (auto kind = text("kind"); !kind.empty()) filter.kinds.push_back(std::move(kind));
  filter.tag = text("tag");
  filter.session_id = text("session_id");
  filter.state = text("state");
  if (const auto given = query.take("pinned")) {
    auto pinned = flag_of(given, "pinned");
    if (!pinned) return pinned.error();
    filter.pinned = *pinned;
  }
  return filter;
}

asio::awaitable<response> list_memories(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  const auto limit = query.take("limit"), cursor = query.take("cursor");
  auto filter = filter_of(query);
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  if (!filter) co_return problem(filter.error(), ctx);
  auto rows = number_in(limit, "limit", list_usual, list_max);
  if (!rows) co_return problem(rows.error(), ctx);
  if (cursor && cursor->empty()) co_return problem(unreadable_parameter("cursor"), ctx);
  std::string behind(cursor.value_or(""));
  auto page = co_await app::list_memories(g.services, ctx.caller, std::move(*filter),
                                          std::move(behind), *rows);
  if (!page) co_return problem(page.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("memories").begin_array();
  for (const auto& it : page->items) write_item(w, it);
  w.end_array().key("next_cursor");
  if (page->next_cursor.empty())
    w.null();
  else
    w.string(page->next_cursor);
  w.end_object();
  co_return answer;
}

asio::awaitable<response> search_memories(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  const auto limit = query.take("limit"), q = query.take("q");
  auto filter = filter_of(query);
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  if (!filter) co_return problem(filter.error(), ctx);
  if (!q || q->empty() || q->size() > question_bytes_max)
    co_return problem(unreadable_parameter("q"), ctx);
  auto rows = number_in(limit, "limit", found_usual, found_max);
  if (!rows) co_return problem(rows.error(), ctx);
  app::memory_search asked;
  asked.query = *q;
  asked.filter = std::move(*filter);
  asked.limit = *rows;
  auto found = co_await app::search_memories(g.services, ctx.caller, std::move(asked));
  if (!found) co_return problem(found.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("memories").begin_array();
  for (const auto& one : found->items) write_item(w, one.what, &one.score);
  w.end_array().field_bool("degraded", found->degraded).field_if("why", found->why);
  if (found->approximate) w.field_bool("approximate", true);
  w.end_object();
  co_return answer;
}

asio::awaitable<response> get_memory(gateway& g, request_context& ctx) {
  std::string id(ctx.path_parameter("id"));
  auto found = co_await app::find_memory(g.services, ctx.caller, std::move(id));
  if (!found) co_return problem(found.error(), ctx);
  co_return item_answer(*found);
}

asio::awaitable<response> add_memory(gateway& g, request_context& ctx) {
  auto once = once_key_of(ctx);
  if (!once) co_return problem(once.error(), ctx);
  const auto& body = ctx.json.as_object();
  app::memory_note note;
  note.text = text_of(body, "text");
  note.kind = text_of(body, "kind", "note");
  note.tags = texts_of(body, "tags");
  if (const auto* importance = body.if_contains("importance"))
    note.importance = importance->to_number<double>();
  auto expires_at = expiry_of(body);
  if (!expires_at) co_return problem(expires_at.error(), ctx);
  note.expires_at_ms = expires_at->value_or(0);
  auto saved =
      co_await app::add_memory(g.services, *ctx.admitted, std::move(*once), std::move(note));
  if (!saved) co_return problem(saved.error(), ctx);
  const auto& [made, replayed] = *saved;
  auto answer = item_answer(made, made.again ? 200 : 201);
  if (!made.again) answer.headers.emplace_back("Location", "/v1/memories/" + made.what.memory_id);
  mark_replayed(answer, replayed);
  co_return answer;
}

asio::awaitable<response> update_memory(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  app::memory_change change;
  if (body.contains("text")) change.text = text_of(body, "text");
  if (body.contains("tags")) change.tags = texts_of(body, "tags");
  if (const auto* given = body.if_contains("importance"))
    change.importance = given->to_number<double>();
  if (const auto* given = body.if_contains("pinned")) change.pinned = given->as_bool();
  auto expires_at = expiry_of(body);
  if (!expires_at) co_return problem(expires_at.error(), ctx);
  change.expires_at_ms = *expires_at;
  std::string id(ctx.path_parameter("id")), if_match(ctx.header("if-match"));
  auto changed = co_await app::change_memory(g.services, admitted_of(ctx), std::move(id),
                                             std::move(change), std::move(if_match));
  if (!changed) co_return problem(changed.error(), ctx);
  co_return item_answer(*changed);
}

asio::awaitable<response> delete_memory(gateway& g, request_context& ctx) {
  std::string id(ctx.path_parameter("id")), if_match(ctx.header("if-match"));
  auto gone =
      co_await app::forget_memory(g.services, admitted_of(ctx), std::move(id), std::move(if_match));
  if (!gone) co_return problem(gone.error(), ctx);
  co_return response(204);
}

asio::awaitable<response> export_memories(gateway& g, request_context& ctx) {
  auto line = [](std::string& out, const app::memory_item& it) {
    json_writer w(out);
    write_item(w, it);
  };
  auto pages = co_await app::export_memories(g.services, ctx.caller, std::move(line));
  if (!pages) co_return problem(pages.error(), ctx);
  response answer;
  answer.content_type = "application/x-ndjson";
  answer.headers.emplace_back("Content-Disposition", "attachment; filename=\"memories.ndjson\"");
  answer.produce = [pages = *pages](response_stream& out) { return send_pieces(pages, out); };
  co_return answer;
}

asio::awaitable<response> recall_memory(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  app::memory_search asked;
  asked.query = text_of(body, "query");
  asked.ids = texts_of(body, "ids");
  asked.filter.kinds = texts_of(body, "kinds");
  if (body.contains("context_window"))
    asked.context_of = session_id(text_of(body, "session_id"));
  else
    asked.filter.session_id = text_of(body, "session_id");
  asked.limit = found_usual;
  if (const auto* limit = body.if_contains("limit")) asked.limit = limit->to_number<std::size_t>();
  const auto at = text_of(body, "at");
  if (!at.empty()) std::from_chars(at.data(), at.data() + at.size(), asked.at);
  auto found = co_await app::recall_memories(g.services, admitted_of(ctx), std::move(asked));
  if (!found) co_return problem(found.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("items").begin_array();
  for (const auto& one : found->items) {
    const auto& it = one.what;
    w.begin_object().field("memory_id", it.memory_id).key("score").real(one.score);
    w.field("text", it.text).field("kind", it.kind).field_if("session_id", it.session_id);
    w.field_if("message_id", it.message_id).field_if("attachment_id", it.attachment_id);
    if (!it.place_json.empty()) w.key("place").raw(it.place_json);
    w.field("created_at", format_rfc3339(it.created_at_ms))
        .field("from", one.from_afar ? "somabrain" : "local");
    w.end_object();
  }
  w.end_array().field_bool("degraded", found->degraded).field_if("why", found->why);
  if (found->approximate) w.field_bool("approximate", true);
  w.field("as_of", std::to_string(found->as_of)).end_object();
  co_return answer;
}

asio::awaitable<response> import_document(gateway& g, request_context& ctx) {
  auto once = once_key_of(ctx);
  if (!once) co_return problem(once.error(), ctx);
  auto id = text_of(ctx.json.as_object(), "attachment_id");
  auto kept =
      co_await app::import_document(g.services, *ctx.admitted, std::move(*once), std::move(id));
  if (!kept) co_return problem(kept.error(), ctx);
  response answer(app::imported_status(kept->what), app::imported_json(kept->what));
  mark_replayed(answer, kept->replayed);
  co_return answer;
}

asio::awaitable<response> list_memory_uses(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  const auto limit = query.take("limit"), cursor = query.take("cursor");
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  auto rows = number_in(limit, "limit", list_usual, list_max);
  if (!rows) co_return problem(rows.error(), ctx);
  if (cursor && cursor->empty()) co_return problem(unreadable_parameter("cursor"), ctx);
  std::string id(ctx.path_parameter("id")), behind(cursor.value_or(""));
  auto page = co_await app::list_memory_uses(g.services, ctx.caller, std::move(id),
                                             std::move(behind), *rows);
  if (!page) co_return problem(page.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("uses").begin_array();
  for (const auto& use : page->uses) {
    w.begin_object().field("session_id", use.session).field("turn_id", use.turn_id);
    // A turn is named by the message that it answers.
    w.field("message_id", use.turn_id).field("event_id", use.event_id);
    w.field("at", format_rfc3339(use.at_ms)).end_object();
  }
  w.end_array().field_if("next_cursor", page->next_cursor).end_object();
  co_return answer;
}

asio::awaitable<response> list_documents(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  const auto limit = query.take("limit"), cursor = query.take("cursor");
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  auto rows = number_in(limit, "limit", list_usual, list_max);
  if (!rows) co_return problem(rows.error(), ctx);
  if (cursor && cursor->empty()) co_return problem(unreadable_parameter("cursor"), ctx);
  std::string behind(cursor.value_or(""));
  auto page = co_await app::list_documents(g.services, ctx.caller, std::move(behind), *rows);
  if (!page) co_return problem(page.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("documents").begin_array();
  for (const auto& one : page->documents) {
    w.begin_object().field("attachment_id", one.attachment_id).field("filename", one.filename);
    w.key("session_id");
    if (one.session_id.empty())
      w.null();
    else
      w.string(one.session_id);
    w.field("passages", static_cast<std::uint64_t>(one.passages)).field("bytes", one.bytes);
    w.field("imported_at", format_rfc3339(one.imported_at_ms)).field("owner", one.owner);
    w.end_object();
  }
  w.end_array().field_if("next_cursor", page->next_cursor).end_object();
  co_return answer;
}

asio::awaitable<response> forget_document(gateway& g, request_context& ctx) {
  std::string id(ctx.path_parameter("attachment_id"));
  auto gone = co_await app::forget_document(g.services, admitted_of(ctx), std::move(id));
  if (!gone) co_return problem(gone.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().field("forgotten", static_cast<std::uint64_t>(*gone)).end_object();
  co_return answer;
}

asio::awaitable<response> get_memory_status(gateway& g, request_context& ctx) {
  auto now = co_await app::read_memory_status(g.services, ctx.caller);
  if (!now) co_return problem(now.error(), ctx);
  response answer;
  json_writer w(answer.body);
  const auto& [here, away, followed] = *now;
  const std::uint64_t lag = here.waiting;
  // Where nothing leaves the node, what waits is what cannot be found yet.
  w.begin_object().field("stored", here.stored).field("replicated", here.replicated);
  w.field("bytes", here.bytes).field("items_max", here.items_max);
  w.field("bytes_max", here.bytes_max);
  w.field("waiting", away.configured ? away.depth : lag).field("failed", here.failed);
  w.key("oldest_waiting_s")
      .real(away.configured ? away.lag_s : static_cast<double>(here.oldest_waiting_ms) / 1000);
  w.field("index_lag", lag).key("replica_lag_s").real(followed.lag_s);
  w.field("breaker", away.breaker).field("feedback", away.feedback);
  if (followed.following)
    w.key("followed")
        .begin_object()
        .field("log", followed.log)
        .field("position", followed.position)
        .field_bool("caught_up", followed.caught_up)
        .end_object();
  w.field_bool("degraded", !here.degraded.empty()).field_if("why", here.degraded);
  w.key("vectors").begin_object().field("state", here.vectors.state);
  w.field("waiting", static_cast<std::uint64_t>(here.vectors.waiting));
  w.field("set_aside", static_cast<std::uint64_t>(here.vectors.set_aside));
  w.key("lag_s").real(here.vectors.lag_s);
  w.field_if("why", here.vectors.why).end_object().end_object();
  co_return answer;
}

}  // namespace

void add_memory_routes(router& routes, gateway& g) {
  add_operation(routes, g, "list_memories", list_memories);
  add_operation(routes, g, "search_memories", search_memories);
  add_operation(routes, g, "export_memories", export_memories);
  add_operation(routes, g, "get_memory", get_memory);
  add_operation(routes, g, "add_memory", add_memory);
  add_operation(routes, g, "update_memory", update_memory);
  add_operation(routes, g, "delete_memory", delete_memory);
  add_operation(routes, g, "recall_memory", recall_memory);
  add_operation(routes, g, "import_document", import_document);
  add_operation(routes, g, "list_memory_uses", list_memory_uses);
  add_operation(routes, g, "list_documents", list_documents);
  add_operation(routes, g, "forget_document", forget_document);
  add_operation(routes, g, "get_memory_status", get_memory_status);
}

}  // namespace soma::http
