#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "core/time.hpp"
#include "llm/usage_ledger.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::llm;

namespace {

const auto day = parse_rfc3339("2026-11-24T00:00:00.000Z");
constexpr std::int64_t hour_ms = 3'600'000;
const tenant_id tenant{"t"};

usage_key key_at(std::int64_t now, std::string model = "m") {
  return {day_of(now), tenant, "u", "s", "p", std::move(model)};
}

usage_count tokens(std::uint64_t n, double cost = 0) {
  usage_count c;
  c.calls = 1;
  c.prompt_tokens = n;
  c.cost_usd = cost;
  return c;
}

usage_caps daily(std::uint64_t n) {
  usage_caps caps;
  caps.tokens_a_day = n;
  return caps;
}

}  // namespace

TEST_CASE("usage: 200 calls at once at a cap pass it by no more than what was in flight") {
  constexpr std::uint32_t each = 10, threads_count = 200;
  constexpr std::uint64_t cap = 1000;
  usage_ledger ledger(daily(cap));
  std::atomic<std::uint64_t> made{0}, refused{0}, in_flight{0}, in_flight_max{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < threads_count; ++i)
    threads.emplace_back([&] {
      while (!go) std::this_thread::yield();
      for (int round = 0; round < 10; ++round) {
        // Counted before it is asked, so that the count is never less than the truth.
        const auto now = ++in_flight;
        for (auto seen = in_flight_max.load(); seen < now;)
          in_flight_max.compare_exchange_weak(seen, now);
        if (const auto admitted = ledger.admit(tenant, day); !admitted) {
          --in_flight;
          CHECK(admitted.error().code == "quota.exceeded");
          ++refused;
          continue;
        }
        std::this_thread::yield();
        ledger.settle(key_at(day), tokens(each));
        ++made;
        --in_flight;
      }
    });
  go = true;
  for (auto& t : threads) t.join();
  const auto now = ledger.of(tenant, day);
  CHECK(now.today.tokens() == made * each);
  CHECK(now.today.tokens() >= cap);
  CHECK(now.today.tokens() <= cap + in_flight_max * each);
  CHECK(made + refused == threads_count * 10);
  CHECK(now.in_flight == 0);
  std::uint64_t rows = 0;
  for (const auto& [key, count] : ledger.take_unsaved()) rows += count.tokens();
  CHECK(rows == made * each);
}

TEST_CASE("usage: each cap refuses for its own time, and the next day begins anew") {
  SUBCASE("tokens") {
    usage_ledger ledger(daily(10));
    CHECK(ledger.admit(tenant, day + hour_ms));
    ledger.settle(key_at(day), tokens(10));
    const auto refused = ledger.admit(tenant, day + 23 * hour_ms);
    REQUIRE(!refused);
    CHECK(refused.error().retry_after_s == 3600);
    CHECK(ledger.admit(tenant_id{"other"}, day));
    CHECK(ledger.admit(tenant, day + 24 * hour_ms));
    CHECK(ledger.of(tenant, day + 24 * hour_ms).today == usage_count{});
  }
  SUBCASE("cost") {
    usage_caps caps;
    caps.cost_usd_a_day = 0.5;
    usage_ledger ledger(caps);
    CHECK(ledger.admit(tenant, day));
    ledger.settle(key_at(day), tokens(1, 0.49));
    CHECK(ledger.admit(tenant, day));
    ledger.settle(key_at(day), tokens(1, 0.01));
    CHECK(!ledger.admit(tenant, day));
  }
  SUBCASE("at once") {
    usage_caps caps;
    caps.concurrent = 2;
    usage_ledger ledger(caps);
    CHECK(ledger.admit(tenant, day));
    CHECK(ledger.admit(tenant, day));
    CHECK(ledger.admit(tenant, day).error().retry_after_s == 1);
    ledger.give_back(tenant);
    CHECK(ledger.admit(tenant, day));
    ledger.settle(key_at(day), tokens(1));
    CHECK(ledger.of(tenant, day).in_flight == 1);
  }
  SUBCASE("a minute") {
    usage_caps caps;
    caps.requests_a_minute = 1;
    usage_ledger ledger(caps);
    CHECK(ledger.admit(tenant, day + 15'000));
    CHECK(ledger.admit(tenant, day + 20'000).error().retry_after_s == 40);
    CHECK(ledger.admit(tenant, day + 60'000));
  }
}

TEST_CASE("usage: a call that ends after midnight counts for the day of its row") {
  usage_ledger ledger(daily(10));
  CHECK(ledger.admit(tenant, day + 24 * hour_ms - 1));
  CHECK(ledger.admit(tenant, day + 24 * hour_ms));
  ledger.settle(key_at(day), tokens(50));  // yesterday's, come late
  CHECK(ledger.of(tenant, day + 24 * hour_ms).today.tokens() == 0);
  CHECK(ledger.of(tenant, day + 24 * hour_ms).in_flight == 1);
  const auto rows = ledger.take_unsaved();
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].first.day == "2026-11-24");
}

TEST_CASE("usage: what was counted before counts for today's caps and is not saved again") {
  usage_ledger ledger(daily(10));
  ledger.restore(key_at(day - 1), tokens(100), day);  // yesterday's
  CHECK(ledger.admit(tenant, day));
  ledger.restore(key_at(day), tokens(10), day);
  CHECK(!ledger.admit(tenant, day));
  CHECK(ledger.take_unsaved().empty());
}

TEST_CASE("usage: rows that could not be saved come again, added to what came since") {
  usage_ledger ledger(daily(0));
  ledger.settle(key_at(day), tokens(1));
  ledger.settle(key_at(day, "n"), tokens(2));
  auto rows = ledger.take_unsaved();
  CHECK(rows.size() == 2);
  ledger.settle(key_at(day), tokens(4));
  ledger.put_back(std::move(rows));
  rows = ledger.take_unsaved();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].second.prompt_tokens == 5);
  CHECK(rows[0].second.calls == 2);
  CHECK(ledger.take_unsaved().empty());
}

TEST_CASE("usage: counts go through JSON unchanged, rubbish is nothing") {
  const usage_count count{7, 1, 1'000'000'000'000, 20, 30, 4, 0.000123};
  CHECK(parse_usage_count(to_json(count)) == count);
  for (const char* bad : {"", "[]", "{\"calls\":-1}", "{\"calls\":\"7\"}"})
    CHECK(parse_usage_count(bad) == usage_count{});
}
