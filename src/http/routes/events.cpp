// Events: the page of raw events, app.event, the session's stream, the tenant's stream, tickets.
#include <boost/json.hpp>
#include <charconv>

#include "app/on_lane.hpp"
#include "core/codes.hpp"
#include "core/command_codec.hpp"
#include "core/json_member.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/routes/gateway.hpp"
#include "http/stream/sse_frame.hpp"
#include "http/stream/tenant_stream.hpp"
#include "security/identity/ticket.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

constexpr std::size_t page_limit_default = 100, page_limit_max = 500;
constexpr std::size_t page_bytes_max = 8u << 20;
constexpr std::size_t tenant_snapshot_sessions = 100;
constexpr std::size_t tenant_snapshot_bytes = 128 * 1024;

error bad_parameter(std::string_view name) {
  return error(codes::request_invalid_parameter,
               "the parameter cannot be read: " + std::string(name))
      .about(name);
}

// "true" and "1" are yes, "false" and "0" no.
result<bool> flag_of(std::optional<std::string_view> text, std::string_view name) {
  if (!text || *text == "false" || *text == "0") return false;
  if (*text == "true" || *text == "1") return true;
  return bad_parameter(name);
}

// ---- the page of events ----

struct page_query {
  storage::read_options read;
  bool backwards = false;
};

result<page_query> parse_page_query(request_context& ctx, const storage::session_head& head) {
  query_reader query(ctx);
  const auto after = query.take("after"), before = query.take("before"),
             limit = query.take("limit"), types = query.take("types"),
             compact = query.take("compact");
  if (auto bad = query.rest()) return *bad;
  page_query page;
  page.read.events_max = page_limit_default;
  page.read.bytes_max = page_bytes_max;
  if (limit) {
    auto& n = page.read.events_max;
    const auto [end, ec] = std::from_chars(limit->data(), limit->data() + limit->size(), n);
    if (ec != std::errc{} || end != limit->data() + limit->size() || n < 1 || n > page_limit_max)
      return bad_parameter("limit");
  }
  if (types) {
    auto mask = parse_types(*types);
    if (!mask) return mask.error();
    page.read.types = *mask;
  }
  auto flag = flag_of(compact, "compact");
  if (!flag) return flag.error();
  page.read.compact = *flag;
  auto malformed = [](std::string_view text) {
    return error(codes::event_id_malformed, "not an event id: " + std::string(text.substr(0, 40)));
  };
  if (after && *after == "end") {
    page.read.after_seq = head.seq;
  } else if (after && *after != "start") {
    const auto id = parse_event_id(*after);
    if (!id) return malformed(*after);
    page.read.after_seq = id->seq;
  }
  if (before) {
    const auto id = parse_event_id(*before);
    if (!id) return malformed(*before);
    page.read.before_seq = id->seq;
    page.backwards = !after;
  }
  page.read.backwards = page.backwards;
  return page;
}

asio::awaitable<response> list_events(gateway& g, request_context& ctx) {
  const auto place = g.event_pages.enter(ctx.caller.tenant);
  if (!place) co_return problem(error(codes::server_busy, "many pages are being read", 1), ctx);
  const auto key = key_of(ctx);
  auto head = co_await g.services.head(key);
  if (!head) co_return problem(head.error(), ctx);
  auto query = parse_page_query(ctx, *head);
  if (!query) co_return problem(query.error(), ctx);
  auto look = [log = &g.services.node.log, key, read = query->read] {
    return log->read(key, read);
  };
  auto page = co_await app::on_lane(g.services.lanes.pages, look);
  if (!page) co_return problem(page.error(), ctx);
  // As of after the page: the one before may not know its last events.
  head = co_await g.services.head(key);
  if (!head) co_return problem(head.error(), ctx);
  if (query->backwards) std::reverse(page->events.begin(), page->events.end());
  response answer;
  json_writer w(answer.body);
  w.begin_object().field("session_id", key.session.value).key("events").begin_array();
  for (const auto& e : page->events) w.raw(e.json);
  w.end_array().key("next_cursor");
  if (page->end)
    w.null();
  else
    w.string(to_string(event_id{head->epoch_of(page->scanned_seq), page->scanned_seq}));
  w.end_object();
  co_return answer;
}

asio::awaitable<response> append_event(gateway& g, request_context& ctx) {
  const auto key = key_of(ctx);
  input::app_event event;
  event.name = std::string(ctx.json.as_object().at("name").as_string());
  if (event.name.starts_with(reserved_event_prefix))
    co_return problem(
        error(codes::event_name_reserved, "names that begin with \"soma.\" are the server's own"),
        ctx);
  event.data_json = json_member(ctx.body, "data");
  auto gate = co_await enter_once(g, ctx, idempotency_key_of(ctx));
  if (!gate) co_return problem(gate.error(), ctx);
  input::command what = std::move(event);
  auto reply = co_await g.services.command(admitted_of(ctx), key.session, std::move(what), &*gate);
  if (!reply) co_return problem(reply.error(), ctx);
  response answer(202);
  json_writer w(answer.body);
  w.begin_object().field("event_id", to_string(reply->event)).end_object();
  mark_replayed(answer, *gate);
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
  auto head = co_await g.services.head(key);
  if (!head) co_return problem(head.error(), ctx);
  std::optional<std::string_view> last_event_id;
  if (ctx.has_header("last-event-id")) last_event_id = ctx.header("last-event-id");
  auto start = plan_stream(*head, last_event_id, after);
  if (!start) co_return problem(start.error(), ctx);
  stream.start = *start;
  stream.compact_seq = head->compact_seq;
  co_return stream_response(g, ctx, std::move(stream));
}

asio::awaitable<response> stream_tenant(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  stream_request stream;
  stream.key = tenant_feed_key(ctx.caller.tenant);
  stream.ephemeral = true;
  // The feed's head before the snapshot: a change between the two is sent twice rather than lost.
  stream.feed = g.services.node.feeds.acquire(stream.key);
  stream.start.cursor = stream.feed->marks().head_seq;
  storage::session_list_options options;
  options.limit = tenant_snapshot_sessions;
  options.bytes_max = tenant_snapshot_bytes;  // each reader has its own until it has read it
  auto look = [log = &g.services.node.log, tenant = ctx.caller.tenant, options] {
    return log->list(tenant, options);
  };
  auto page = co_await app::on_lane(g.services.lanes.pages, look);
  if (!page) co_return problem(page.error(), ctx);
  stream.snapshot = session_list_snapshot(*page);
  co_return stream_response(g, ctx, std::move(stream));
}

asio::awaitable<response> create_ticket(gateway& g, request_context& ctx) {
  const auto key = key_of(ctx);
  auto head = co_await g.services.head(key);
  if (!head) co_return problem(head.error(), ctx);
  security::ticket_claims claims;
  claims.key = key;
  claims.user = ctx.caller.user;
  claims.key_id = ctx.caller.key_id;
  claims.cookie_hash = ctx.caller.cookie_hash;
  claims.expires_at_ms = now_ms() + g.services.settings.number("sse.ticket_ttl_s") * 1000;
  const auto ticket = g.services.tickets.issue(claims);
  response answer(201);
  json_writer w(answer.body);
  w.begin_object().field("ticket", ticket);
  w.field("expires_at", format_rfc3339(claims.expires_at_ms));
  w.field("url", "/v1/session/" + key.session.value + "/events?ticket=" + ticket).end_object();
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
