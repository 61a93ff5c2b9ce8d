#include "app/session_events.hpp"

#include <algorithm>

#include "app/on_lane.hpp"
#include "app/services.hpp"
#include "core/codes.hpp"
#include "core/time.hpp"
#include "security/identity/ticket.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

constexpr std::size_t page_bytes_max = 8u << 20;

}  // namespace

asio::awaitable<result<events_page>> read_events(services& s, const caller& who,
                                                 events_question asked) {
  events_page out;
  out.place = s.event_pages.enter(who.tenant);
  if (!out.place) co_return error(codes::server_busy, "many pages are being read", 1);
  const session_key key{who.tenant, asked.session};
  auto head = co_await s.head(key);
  if (!head) co_return head.error();
  read_options options;
  options.events_max = asked.events_max;
  options.bytes_max = page_bytes_max;
  options.types = asked.types;
  options.compact = asked.compact;
  if (asked.after_end) options.after_seq = head->seq;
  if (asked.after) options.after_seq = asked.after->seq;
  if (asked.before) {
    options.before_seq = asked.before->seq;
    options.backwards = !asked.after && !asked.after_end;
  }
  auto look = [log = &s.node.log, key, options] { return log->read(key, options); };
  auto turn = turn_of(who.tenant);
  auto page = co_await on_lane(s.lanes.pages, std::move(turn), look);
  if (!page) co_return page.error();
  // As of after the page: the one before may not know its last events.
  head = co_await s.head(key);
  if (!head) co_return head.error();
  out.events = std::move(page->events);
  if (options.backwards) std::reverse(out.events.begin(), out.events.end());
  if (!page->end) out.next = event_id{head->epoch_of(page->scanned_seq), page->scanned_seq};
  co_return out;
}

asio::awaitable<result<stream_ticket>> create_ticket(services& s, const admitted& in,
                                                     session_id session) {
  const auto& who = in.who();
  security::ticket_claims claims;
  claims.key = {who.tenant, std::move(session)};
  auto head = co_await s.head(claims.key);
  if (!head) co_return head.error();
  claims.user = who.user;
  claims.key_id = who.key_id;
  claims.cookie_hash = who.cookie_hash;
  if (who.role == role::admin) claims.role = security::role::admin;
  claims.expires_at_ms = now_ms() + s.settings.number("sse.ticket_ttl_s") * 1000;
  stream_ticket out;
  out.ticket = s.tickets.issue(claims);
  out.expires_at_ms = claims.expires_at_ms;
  co_return out;
}

}  // namespace soma::app
