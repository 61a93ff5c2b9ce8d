#include "outbox/send_plan.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <queue>
#include <random>

#include "support/seed.hpp"

using namespace soma::outbox;
using kind = attempt::kind;

namespace {

row_facts of(std::string session, std::string group = "t") {
  row_facts out;
  out.order = group + '\n' + session;
  out.group = group;
  return out;
}

attempt came(kind how, std::string why = "it failed") {
  attempt out;
  out.how = how;
  out.why = std::move(why);
  return out;
}

attempt rows(std::vector<row_outcome> outcomes) {
  auto out = came(kind::answered, "not persisted");
  out.rows = std::move(outcomes);
  return out;
}

using numbers = std::vector<std::uint64_t>;

// A sink with bad hours, on a clock that is turned by hand.
class world {
 public:
  explicit world(std::uint64_t seed) : random_(seed) {}

  void run() {
    const auto sessions = 1 + pick(12);
    const auto many = 20 + pick(200);
    for (std::uint64_t n = 1; n <= many; ++n) {
      const auto session = pick(sessions);
      facts_[n] = of("s" + std::to_string(session), "t" + std::to_string(session % 3));
      if (pick(25) == 0) poison_[n] = pick(3);
    }
    std::uint64_t given = 0;
    // Bad hours end; whatever waits then has to go within some time.
    for (int steps = 0; plan_.size() > 0 || given < many; ++steps) {
      REQUIRE(steps < 200'000);
      for (auto more = pick(20); more > 0 && given < many; --more) add(++given);
      while (const auto batch = plan_.next(now_)) begin(*batch);
      CHECK(flying_.size() <= limits_.in_flight_max);
      turn_clock(given < many);
      while (!flying_.empty() && flying_.top().at <= now_) land();
    }
    for (const auto& [number, facts] : facts_) {
      CAPTURE(number);
      CHECK(done_[number] + dead_[number] == 1);
      CHECK(dead_.contains(number) * dead_[number] == poison_.contains(number));
      if (!poison_.contains(number)) CHECK(kept_.contains(number));
    }
    // What was kept first of each session is in order.
    std::map<std::string, std::uint64_t> last;
    for (const auto number : first_kept_) {
      auto& before = last[facts_.at(number).order];
      CHECK(before < number);
      before = number;
    }
  }

 private:
  struct flight {
    std::int64_t at;
    std::uint64_t id;
    attempt what;
    numbers rows;
    bool operator<(const flight& other) const { return at > other.at; }
  };
  enum class hour { good, refused, fails, hangs, loses, limits, half, rubbish };

  plan_limits some_limits() {
    plan_limits out;
    out.in_flight_max = 1 + pick(4);
    out.batch_rows_max = 1 + pick(16);
    return out;
  }

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

  void add(std::uint64_t number) { plan_.add(number, facts_.at(number)); }

  // A row by which its sink fails shows as such only beside others.
  void go_on() {
    const auto number = facts_.rbegin()->first + 1;
    facts_[number] = of("later " + std::to_string(number));
    add(number);
  }

  void turn_clock(bool more_come) {
    auto next = now_ + 1 + static_cast<std::int64_t>(pick(50));
    if (!more_come) {
      // Nothing else happens until then.
      auto until = INT64_MAX;
      if (!flying_.empty()) until = flying_.top().at;
      if (const auto at = plan_.wake_at()) until = std::min(until, *at);
      REQUIRE(until != INT64_MAX);  // or something is forgotten
      next = std::max(now_ + 1, until);
      if (hours_ > 12 && now_ - went_on_ > 5000) {
        go_on();
        went_on_ = now_;
        next = now_ + 1;
      }
    }
    now_ = next;
    if (now_ < hour_ends_) return;
    hour_ = ++hours_ > 12 ? hour::good : static_cast<hour>(pick(8));
    hour_ends_ = now_ + 1000 + static_cast<std::int64_t>(pick(90'000));
  }

  void begin(const send_plan::batch& what) {
    REQUIRE(!what.numbers.empty());
    CHECK(what.numbers.size() <= limits_.batch_rows_max);
    for (std::size_t i = 0; i < what.numbers.size(); ++i) {
      const auto& mine = facts_.at(what.numbers[i]);
      CHECK(mine.group == facts_.at(what.numbers[0]).group);
      CHECK(on_their_way_[mine.order]++ == 0);
    }
    flight out{now_ + 1 + static_cast<std::int64_t>(pick(40)), what.id, {}, what.numbers};
    out.what = answer(out);
    flying_.push(std::move(out));
  }

  void keep(std::uint64_t number) {
    if (kept_.insert(number).second) first_kept_.push_back(number);
  }
  void keep_all(const numbers& which) {
    for (const auto number : which) keep(number);
  }

  attempt answer(flight& out) {
    const auto& which = out.rows;
    const auto bad = [&](std::uint64_t how) {
      return std::any_of(which.begin(), which.end(), [&](std::uint64_t n) {
        const auto at = poison_.find(n);
        return at != poison_.end() && at->second == how;
      });
    };
    switch (hour_) {
      case hour::refused: out.at = now_ + 1; return came(kind::away, "connection refused");
      case hour::fails: return came(kind::away, "500");
      case hour::hangs: out.at = now_ + 30'000; return came(kind::away, "late");
      case hour::rubbish: return came(kind::away, "rubbish");
      case hour::loses:
        if (!bad(0) && !bad(1) && !bad(2)) keep_all(which);
        return came(kind::away, "the connection was lost");
      case hour::limits: {
        auto slow = came(kind::busy, "429");
        if (pick(2)) slow.retry_after_ms = static_cast<std::int64_t>(pick(20'000));
        return slow;
      }
      default: break;
    }
    if (bad(0)) return came(kind::away, "500");  // by one row, whatever is with it
    if (bad(1)) return came(kind::refused, "422");
    attempt all = rows({});
    for (const auto number : which) {
      const bool refused =
          poison_.contains(number) || (hour_ == hour::half && refused_[number] < 3 && pick(2) == 0);
      refused_[number] += refused;
      all.rows.push_back(refused ? row_outcome::refused : row_outcome::done);
      if (!refused) keep(number);
    }
    return all;
  }

  void land() {
    const auto one = flying_.top();
    flying_.pop();
    for (const auto number : one.rows) --on_their_way_[facts_.at(number).order];
    const double chance = static_cast<double>(pick(1000)) / 1000;
    const auto settled = plan_.answered(one.id, one.what, now_, chance);
    for (const auto number : settled.done) {
      ++done_[number];
      CHECK(kept_.contains(number));
    }
    for (const auto& row : settled.dead) {
      ++dead_[row.number];
      CHECK(!row.why.empty());
      CHECK(row.attempts == limits_.attempts_max);
    }
  }

  std::mt19937_64 random_;
  const plan_limits limits_ = some_limits();
  send_plan plan_{limits_};
  std::map<std::uint64_t, row_facts> facts_;
  std::map<std::uint64_t, std::uint64_t> poison_;  // which rows the sink never takes, and how
  std::map<std::uint64_t, int> done_, dead_, refused_;
  std::map<std::string, int> on_their_way_;
  std::set<std::uint64_t> kept_;
  numbers first_kept_;
  std::priority_queue<flight> flying_;
  std::int64_t now_ = 1000, hour_ends_ = 0, went_on_ = 0;
  int hours_ = 0;
  hour hour_ = hour::good;
};

}  // namespace

TEST_CASE("rows of a session are sent one after another and others meanwhile") {
  send_plan plan({});
  plan.add(1, of("a"));
  plan.add(2, of("a"));
  plan.add(3, of("b"));
  plan.add(4, of("c", "other"));
  const auto first = plan.next(0), second = plan.next(0);
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->numbers == numbers{1, 3});
  CHECK(second->numbers == numbers{4});
  CHECK_FALSE(plan.next(0));
  const auto settled = plan.answered(first->id, rows({row_outcome::done, row_outcome::done}), 0, 0);
  CHECK(settled.done == numbers{1, 3});
  CHECK(plan.next(0)->numbers == numbers{2});
}

TEST_CASE("a sink that is away costs no row an attempt and is left alone after three failures") {
  plan_limits limits;
  limits.in_flight_max = 1;
  send_plan plan(limits);
  for (std::uint64_t n = 1; n <= 10; ++n) plan.add(n, of(std::to_string(n)));
  std::int64_t now = 0;
  for (int failure = 1; failure <= 500; ++failure) {
    const auto at = plan.wake_at();
    REQUIRE(at);
    now = std::max(now, *at);
    const auto batch = plan.next(now);
    REQUIRE(batch);
    const auto settled = plan.answered(batch->id, came(kind::away), now, 1);
    CHECK(settled.dead.empty());
    CHECK(plan.state(now) == (failure < 3 ? send_plan::breaker::closed : send_plan::breaker::open));
    if (failure == 3) {
      CHECK_FALSE(plan.next(now + 14'999));
      CHECK(plan.state(now + 15'000) == send_plan::breaker::half_open);
    }
  }
  // The first that is taken lets all others go at once.
  now = *plan.wake_at();
  auto batch = plan.next(now);
  CHECK(batch->numbers.size() == 1);
  CHECK(plan.answered(batch->id, rows({row_outcome::done}), now, 1).done.size() == 1);
  CHECK(plan.state(now) == send_plan::breaker::closed);
  std::size_t sent = 1;
  while ((batch = plan.next(now))) {
    sent += batch->numbers.size();
    plan.answered(batch->id, rows(std::vector(batch->numbers.size(), row_outcome::done)), now, 1);
  }
  CHECK(sent == 10);
}

TEST_CASE("a sink that says when is asked again then and no sooner") {
  send_plan plan({});
  plan.add(1, of("a"));
  auto slow = came(kind::busy);
  slow.retry_after_ms = 7000;
  plan.answered(plan.next(0)->id, slow, 0, 0);
  CHECK_FALSE(plan.next(6999));
  CHECK(plan.wake_at() == 7000);
  CHECK(plan.failures() == 0);
  auto gone = came(kind::away);
  gone.retry_after_ms = 20'000;
  plan.answered(plan.next(7000)->id, gone, 7000, 0);
  CHECK(plan.wake_at() == 27'000);
}

TEST_CASE("a refused batch is halved until the row at fault is alone and becomes a dead letter") {
  plan_limits limits;
  limits.attempts_max = 3;
  send_plan plan(limits);
  for (std::uint64_t n = 1; n <= 8; ++n) plan.add(n, of(std::to_string(n)));
  std::vector<std::uint64_t> done;
  std::vector<send_plan::dead_row> dead;
  std::int64_t now = 0;
  int calls = 0;
  while (plan.size() > 0) {
    REQUIRE(++calls < 50);
    now = std::max(now, *plan.wake_at());
    const auto batch = plan.next(now);
    REQUIRE(batch);
    const auto& n = batch->numbers;
    const bool bad = std::find(n.begin(), n.end(), 6) != n.end();
    const auto settled = plan.answered(
        batch->id,
        bad ? came(kind::refused, "422") : rows(std::vector(n.size(), row_outcome::done)), now, 1);
    done.insert(done.end(), settled.done.begin(), settled.done.end());
    dead.insert(dead.end(), settled.dead.begin(), settled.dead.end());
  }
  CHECK(done.size() == 7);
  REQUIRE(dead.size() == 1);
  CHECK(dead[0].number == 6);
  CHECK(dead[0].attempts == 3);
  CHECK(dead[0].why == "422");
}

TEST_CASE("a row by which its sink fails whatever is with it becomes a dead letter alone") {
  plan_limits limits;
  limits.attempts_max = 3;
  send_plan plan(limits);
  for (std::uint64_t n = 1; n <= 40; ++n) plan.add(n, of(std::to_string(n)));
  std::vector<std::uint64_t> dead, done;
  std::int64_t now = 0;
  std::uint64_t last = 40;
  for (int calls = 0; plan.size() > 0; ++calls) {
    REQUIRE(calls < 400);
    // Others come for as long as it waits, and show that the sink is there.
    if (dead.empty()) {
      ++last;
      plan.add(last, of(std::to_string(last)));
    }
    now = std::max(now + 500, *plan.wake_at());
    const auto batch = plan.next(now);
    REQUIRE(batch);
    const auto& all = batch->numbers;
    const bool bad = std::find(all.begin(), all.end(), 20) != all.end();
    const auto settled = plan.answered(
        batch->id, bad ? came(kind::away, "500") : rows(std::vector(all.size(), row_outcome::done)),
        now, 0.5);
    done.insert(done.end(), settled.done.begin(), settled.done.end());
    for (const auto& one : settled.dead) dead.push_back(one.number);
  }
  CHECK(dead == numbers{20});
  CHECK(done.size() == last - 1);
}

TEST_CASE("whatever a sink does each row is settled once and sessions keep their order") {
  const auto first = soma::testing::seed_of("send_plan");
  const auto runs = soma::testing::number_from_environment("SOMA_RUNS", 300);
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    CAPTURE(seed);
    world(seed).run();
  }
}
