#include "app/memory_wal.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

#include "app/on_longer.hpp"
#include "app/on_writes.hpp"
#include "app/outgoing.hpp"
#include "app/services.hpp"
#include "core/codes.hpp"
#include "core/time.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;

constexpr std::size_t rows_at_once = 200, bytes_at_once = 256 * 1024;
constexpr std::chrono::milliseconds look_every(50), heartbeat_every(1000);
// For what was written before the question and is not in the log yet; where the log cannot be
// written, the head is of what it has.
constexpr std::chrono::seconds waits_for_log(5);

class log_lines final : public piece_source {
 public:
  log_lines(services& s, tenant_id whose, wal_question asked, memory::wal_page first, bool has_all,
            std::uint64_t wanted, std::shared_ptr<void> place)
      : s_(s),
        wal_(*s.out.wal),
        whose_(std::move(whose)),
        asked_(std::move(asked)),
        page_(std::move(first)),
        place_(std::move(place)),
        wanted_(wanted),
        has_all_(has_all) {
    memory::write_begin(lines_, page_.log, asked_.after);
  }

  asio::awaitable<result<std::string>> next() override {
    auto home = co_await asio::this_coro::executor;
    asio::steady_timer timer(home);
    const auto waits_until = clock::now() + heartbeat_every;
    while (!over_) {
      if (!std::exchange(read_, false)) {
        moved_ = wal_.moved();
        has_all_ = has_all_ || has_all();
        auto work = [this] { return wal_.read(whose_, asked_.after, rows_at_once, bytes_at_once); };
        auto page = co_await on_longer(s_, whose_, std::move(work));
        if (!page) co_return page.error();
        page_ = std::move(*page);
      }
      const bool behind = take_page();
      if (!lines_.empty()) co_return std::exchange(lines_, {});
      if (behind) continue;
      const auto is_new = [this] { return wal_.moved() != moved_ || (!has_all_ && has_all()); };
      while (!over_ && !is_new() && clock::now() < waits_until) {
        timer.expires_after(look_every);
        co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
        over_ = asked_.stopping && asked_.stopping();
      }
      if (over_ || is_new()) continue;
      if (page_.caught_up && has_all_)
        memory::write_head(lines_, asked_.after, now_ms());
      else
        memory::write_alive(lines_);
      co_return std::exchange(lines_, {});
    }
    co_return std::string();
  }

 private:
  // True: there may be more at once.
  bool take_page() {
    for (const auto& one : page_.entries) memory::write_line(lines_, one);
    const bool moves = page_.position != asked_.after;
    asked_.after = page_.position;
    if (page_.caught_up && has_all_ && (moves || first_ || !asked_.goes_on)) {
      first_ = false;
      memory::write_head(lines_, asked_.after, now_ms());
      over_ = over_ || !asked_.goes_on;
    }
    return moves;
  }

  // All that was written when it was asked is in the log, so a head says so much.
  bool has_all() const { return wal_.done() >= wanted_ || clock::now() > given_up_at_; }

  services& s_;
  const memory::memory_wal& wal_;
  const tenant_id whose_;
  wal_question asked_;
  memory::wal_page page_;
  const std::shared_ptr<void> place_;
  std::string lines_;
  std::uint64_t moved_ = 0;
  const std::uint64_t wanted_;  // commits
  const clock::time_point given_up_at_ = clock::now() + waits_for_log;
  bool has_all_;      // before the page was read
  bool read_ = true;  // the first page was, before the answer began
  bool first_ = true, over_ = false;
};

}  // namespace

asio::awaitable<result<std::shared_ptr<piece_source>>> read_memory_log(services& s,
                                                                       const caller& who,
                                                                       wal_question asked) {
  const auto* wal = s.out.wal;
  if (!wal)
    co_return error(codes::route_not_found,
                    "this server keeps no log of its memories: memory.wal is off");
  auto place = s.out.wal_readers.enter(who.tenant);
  if (!place)
    co_return error(codes::quota_exceeded, "the tenant's memories are followed often enough", 5);
  const auto wanted = wal->told();
  const bool has_all = wal->done() >= wanted;
  auto work = [wal, tenant = who.tenant, after = asked.after] {
    return wal->read(tenant, after, rows_at_once, bytes_at_once);
  };
  auto first = co_await on_longer(s, who.tenant, std::move(work));
  if (!first) co_return first.error();
  std::shared_ptr<piece_source> lines = std::make_shared<log_lines>(
      s, who.tenant, std::move(asked), std::move(*first), has_all, wanted, std::move(place));
  co_return lines;
}

asio::awaitable<result<replica_outcome>> apply_memory_log(services& s, const admitted& in,
                                                          replica_batch what) {
  auto work = [to = s.out.replicator, tenant = in.who().tenant, what = std::move(what)] {
    return to->apply(tenant, what);
  };
  co_return co_await on_writes(s, in.who().tenant, std::move(work));
}

asio::awaitable<result<void>> end_memory_log(services& s, const admitted& in, std::string log) {
  auto work = [to = s.out.replicator, tenant = in.who().tenant, log = std::move(log)] {
    return to->end(tenant, log);
  };
  co_return co_await on_writes(s, in.who().tenant, std::move(work));
}

}  // namespace soma::app
