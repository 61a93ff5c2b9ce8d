#include "app/outgoing.hpp"

#include <algorithm>

#include "app/on_lane.hpp"
#include "app/on_longer.hpp"
#include "app/on_writes.hpp"
#include "app/page_filling.hpp"
#include "app/services.hpp"
#include "core/time.hpp"

namespace soma::app {

namespace asio = boost::asio;

outgoing_figures outgoing_now(const services& s) {
  outgoing_figures out;
  out.dead = s.out.dead_letters.count();
  if (s.out.wal) out.wal_lag = s.out.wal->lag();
  if (!s.out.somabrain) return out;
  const auto now = s.out.somabrain->figures();
  out.configured = true;
  out.depth = now.depth;
  if (now.oldest_since_ms > 0)
    out.lag_s =
        static_cast<double>(std::max<std::int64_t>(0, now_ms() - now.oldest_since_ms)) / 1000;
  using state = outbox::send_plan::breaker;
  out.breaker = now.breaker == state::open        ? "open"
                : now.breaker == state::half_open ? "half_open"
                                                  : "closed";
  out.trouble = now.trouble;
  if (s.out.ratings) out.feedback = memory::to_string(s.out.ratings->support());
  if (s.out.watch) out.says = s.out.watch->now();
  return out;
}

asio::awaitable<result<dead_letter_page>> list_dead_letters(services& s, const caller& who,
                                                            std::string sink, std::string cursor,
                                                            std::size_t limit) {
  page_filling page(&dead_letter_page::rows, std::move(cursor), limit);
  while (page.goes_on()) {
    auto work = [&kept = s.out.dead_letters, tenant = who.tenant, sink, from = page.cursor(),
                 left = page.left()] { return kept.list(tenant, sink, from, left); };
    auto piece = co_await on_lane(s.lanes.pages, std::move(work));
    if (!piece) co_return piece.error();
    page.take(std::move(*piece));
  }
  co_return std::move(page).page();
}

asio::awaitable<result<dead_letter>> find_dead_letter(services& s, const caller& who,
                                                      std::string id) {
  auto work = [&kept = s.out.dead_letters, tenant = who.tenant, id = std::move(id)] {
    return kept.find(tenant, id);
  };
  co_return co_await on_lane(s.lanes.quick, std::move(work));
}

asio::awaitable<result<void>> requeue_dead_letter(services& s, const admitted& in, std::string id) {
  auto work = [&kept = s.out.dead_letters, tenant = in.who().tenant, id = std::move(id)] {
    return kept.requeue(tenant, id);
  };
  co_return co_await on_writes(s, in.who().tenant, std::move(work));
}

asio::awaitable<result<void>> delete_dead_letter(services& s, const admitted& in, std::string id) {
  auto work = [&kept = s.out.dead_letters, tenant = in.who().tenant, id = std::move(id)] {
    return kept.remove(tenant, id);
  };
  co_return co_await on_writes(s, in.who().tenant, std::move(work));
}

asio::awaitable<result<memories_synced>> sync_memories(services& s, const admitted& in) {
  if (!s.out.sync) co_return memories_synced();
  auto work = [sync = s.out.sync, tenant = in.who().tenant]() -> result<memories_synced> {
    const auto found = sync->look(tenant);
    if (!found) return found.error();
    memories_synced out;
    out.configured = true;
    out.looked_at = found->looked_at;
    out.queued = found->queued;
    out.gone = found->gone;
    return out;
  };
  co_return co_await on_longer(s, in.who().tenant, std::move(work));
}

}  // namespace soma::app
