// Events: the page of raw events, app.event, the session's stream, the tenant's stream, tickets.
#include "app/conversations.hpp"
#include "app/messages.hpp"
#include "app/session_events.hpp"
#include "core/codes.hpp"
#include "core/json_member.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/routes/parameters.hpp"
#include "http/stream/sse_frame.hpp"
#include "http/stream/stream_plan.hpp"
#include "http/stream/tenant_stream.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

constexpr std::size_t page_limit_default = 100, page_limit_max = 500;
constexpr std::size_t tenant_snapshot_sessions = 100;
constexpr std::size_t tenant_snapshot_bytes = 128 * 1024;

// ---- the page of events ----

result<event_id> event_named(std::string_view text) {
  if (const auto id = parse_event_id(text)) return *id;
  return error(codes::event_id_malformed, "not an event id: " + std::string(text.substr(0, 40)));
}

result<app::events_question> events_question_in(request_context& ctx) {
  query_reader query(ctx);
  const auto after = query.take("after"), before = query.take("before"),
             limit = query.take("limit"), types = query.take("types"),
             compact = query.take("compact");
  if (auto bad = query.rest()) return *bad;
  app::events_question asked;
  asked.session = key_of(ctx).session;
  auto events = number_in(limit, "limit", page_limit_default, page_limit_max);
  if (!events) return events.error();
  asked.events_max = *events;
  if (types) {
    auto mask = parse_types(*types);
    if (!mask) return mask.error();
    asked.types = *mask;
  }
  auto flag = flag_of(compact, "compact");
  if (!flag) return flag.error();
  asked.compact = *flag;
  asked.after_end = after && *after == "end";
  if (after && *after == "start") {
    asked.after = event_id{};
  } else if (after && !asked.after_end) {
    auto id = event_named(*after);
    if (!id) return id.error();
    asked.after = *id;
  }
  if (before) {
    auto id = event_named(*before);
    if (!id) return id.error();
    asked.before = *id;
  }
  return asked;
}

asio::awaitable<response> list_events(gateway& g, request_context& ctx) {
  auto asked = events_question_in(ctx);
  if (!asked) co_return problem(asked.error(), ctx);
  const auto session = asked->session;
  auto page = co_await app::read_events(g.services, ctx.caller, std::move(*asked));
  if (!page) co_return problem(page.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().field("session_id", session.value).key("events").begin_array();
  for (const auto& e : page->events) w.raw(e.json);
  w.end_array().key("next_cursor");
  if (page->next)
    w.string(to_string(*page->next));
  else
    w.null();
  w.end_object();
  co_return answer;
}

asio::awaitable<response> append_event(gateway& g, request_context& ctx) {
  auto key = once_key_of(ctx);
  if (!key) co_return problem(key.error(), ctx);
  input::app_event event;
  event.name = std::string(ctx.json.as_object().at("name").as_string());
  event.data_json = json_member(ctx.body, "data");
  auto appended = co_await app::append_event(g.services, admitted_of(ctx), std::move(*key),
                                             key_of(ctx).session, std::move(event));
  if (!appended) co_return problem(appended.error(), ctx);
  response answer(202);
  json_writer w(answer.body);
  w.begin_object().field("event_id", to_string(appended->what)).end_object();
  mark_replayed(answer, appended->replayed);
  co_return answer;
}

// ---- streams ----

asio::awaitable<response> stream_events(gateway& g, request_context& ctx) {
  const auto key = key_of(ctx);
  query_reader query(ctx);
  const auto after = query.take("after"), types = query.take("types"),
             compact = query.take("compact");
  query.take("ticket");  // the authenticator's
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  stream_request stream;
  stream.key = key;
  if (types) {
    auto mask = parse_types(*types);
    if (!mask) co_return problem(mask.error(), ctx);
    stream.types = *mask;
  }
  auto flag = flag_of(compact, "compact");
  if (!flag) co_return problem(flag.error(), ctx);
  stream.compact = *flag;
  auto found = co_await app::find_conversation(g.services, ctx.caller, key.session);
  if (!found) co_return problem(found.error(), ctx);
  std::optional<std::string_view> last_event_id;
  if (ctx.has_header("last-event-id")) last_event_id = ctx.header("last-event-id");
  auto start = plan_stream(found->head, last_event_id, after);
  if (!start) co_return problem(start.error(), ctx);
  stream.start = *start;
  stream.compact_seq = found->head.compact_seq;
  co_return stream_response(g, ctx, std::move(stream));
}

asio::awaitable<response> stream_tenant(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  stream_request stream;
  stream.key = own_feed_key(ctx.caller);
  stream.ephemeral = true;
  // The feed's head before the snapshot: a change between the two is sent twice rather than lost.
  stream.feed = g.feeds.acquire(stream.key);
  stream.start.cursor = stream.feed->marks().head_seq;
  app::session_list_options options;
  options.limit = tenant_snapshot_sessions;
  options.bytes_max = tenant_snapshot_bytes;  // each reader has its own until it has read it
  // It begins at once with what is found soon; the list has the rest.
  constexpr std::size_t enough = 1;
  auto page = co_await app::list_conversations(g.services, ctx.caller, options, enough);
  if (!page) co_return problem(page.error(), ctx);
  stream.snapshot = session_list_snapshot(*page);
  co_return stream_response(g, ctx, std::move(stream));
}

asio::awaitable<response> create_ticket(gateway& g, request_context& ctx) {
  const auto session = key_of(ctx).session;
  auto made = co_await app::create_ticket(g.services, admitted_of(ctx), session);
  if (!made) co_return problem(made.error(), ctx);
  response answer(201);
  json_writer w(answer.body);
  w.begin_object().field("ticket", made->ticket);
  w.field("expires_at", format_rfc3339(made->expires_at_ms));
  w.field("url", "/v1/session/" + session.value + "/events?ticket=" + made->ticket).end_object();
  co_return answer;
}

}  // namespace

void add_event_routes(router& routes, gateway& g) {
  add_operation(routes, g, "list_events", list_events);
  add_operation(routes, g, "append_event", append_event);
  add_operation(routes, g, "stream_events", stream_events);
  add_operation(routes, g, "stream_tenant", stream_tenant);
  add_operation(routes, g, "create_ticket", create_ticket);
}

}  // namespace soma::http
