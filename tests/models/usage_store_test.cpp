#include "models/usage_store.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "storage/documents.hpp"
#include "support/held_log.hpp"
#include "support/result_text.hpp"

using namespace soma;
using models::usage_store;

namespace {

constexpr std::int64_t day_ms = 24ll * 3600 * 1000, today = 20'000 * day_ms;

struct usage_world {
  std::unique_ptr<storage::event_log> log = storage::make_memory_event_log();

  void used(int days_ago, const std::string& user, const std::string& session, int calls = 1) {
    llm::usage_count count;
    count.calls = static_cast<std::uint64_t>(calls);
    count.prompt_tokens = 10;
    REQUIRE(log->put_document("usage",
                              llm::day_of(today - days_ago * day_ms) + "\nt\n" + user + '\n' +
                                  session + "\nprovider\nmodel",
                              llm::to_json(count)));
  }
  std::size_t rows() const { return log->list_documents("usage", "", 100'000)->size(); }
  auto day(int days_ago) const {
    return models::usage_store::rows(*log, tenant_id("t"), llm::day_of(today - days_ago * day_ms),
                                     100'000)
        .value();
  }
};

}  // namespace

TEST_CASE("usage: old days are added together, older ones go, and no call is counted twice") {
  usage_world w;
  for (int n = 0; n < 300; ++n) w.used(150, n % 2 ? "a" : "b", "s" + std::to_string(n));
  for (int n = 0; n < 50; ++n) w.used(20, "a", "s" + std::to_string(n));
  w.used(1200, "a", "s");
  // In rounds, as a janitor does it; the last finds nothing more.
  int rounds = 0;
  for (; rounds < 20; ++rounds)
    if (models::usage_store::fold(*w.log, today, 70).value() == 0) break;
  CHECK(rounds == 5);
  CHECK(w.rows() == 2 + 50);
  const auto old = w.day(150);
  REQUIRE(old.size() == 2);
  for (const auto& [key, count] : old) {
    CHECK(key.session.empty());
    CHECK(count.calls == 150);
    CHECK(count.prompt_tokens == 1500);
  }
  CHECK(w.day(20).size() == 50);
  CHECK(w.day(1200).empty());
}

TEST_CASE("usage: nodes that share the rows count each its own, and all count") {
  usage_world w;
  llm::usage_ledger of_a(llm::usage_caps{}), of_b(llm::usage_caps{});
  const auto settle = [&](llm::usage_ledger& at, std::uint64_t calls) {
    llm::usage_count count;
    count.calls = calls;
    at.settle({llm::day_of(today), tenant_id("t"), "u", "s", "provider", "model"}, count);
  };
  usage_store a(of_a, *w.log, "a"), b(of_b, *w.log, "b");
  settle(of_a, 1);
  REQUIRE(a.close());
  settle(of_b, 2);
  REQUIRE(b.close());
  {
    usage_store again(of_a, *w.log, "a");
    settle(of_a, 4);
    REQUIRE(again.close());
  }
  std::uint64_t calls = 0;
  for (const auto& [key, count] : w.day(0)) {
    CHECK(key.model == "model");
    calls += count.calls;
  }
  CHECK(calls == 7);
  CHECK(w.day(0).size() == 2);
  // Where sessions are added together, so are nodes.
  constexpr std::int64_t later = today + 200 * day_ms;
  REQUIRE(usage_store::fold(*w.log, later, 100).value() == 2);
  REQUIRE(w.day(0).size() == 1);
  CHECK(w.day(0).front().second.calls == 7);
}

TEST_CASE("usage: a day of more rows than a page is read whole") {
  usage_world w;
  for (int n = 0; n < 2500; ++n) w.used(0, "a", "s" + std::to_string(n));
  CHECK(w.day(0).size() == 2500);
  llm::usage_ledger ledger(llm::usage_caps{});
  REQUIRE(models::usage_store::restore(*w.log, ledger, today));
  CHECK(ledger.of(tenant_id("t"), today).today.calls == 2500);
}

TEST_CASE(
    "usage: what settles while the disk stands still is saved by the next write, or the last") {
  usage_world w;
  llm::usage_ledger ledger(llm::usage_caps{});
  storage::held_log disk(*w.log);
  usage_store store(ledger, disk);
  llm::usage_count one;
  one.calls = 1;
  const auto settle = [&](const std::string& user) {
    ledger.settle({llm::day_of(today), tenant_id("t"), user, "s", "provider", "model"}, one);
  };
  const auto saved = [&](std::uint64_t calls) {
    std::uint64_t sum = 0;
    for (const auto& [key, count] : w.day(0)) sum += count.calls;
    return sum == calls;
  };
  disk.hold();
  settle("a");
  store.save_soon();
  disk.wait_for_writers(1);
  // Neither of these would return if it waited for the disk.
  settle("a");
  settle("b");
  store.save_soon();
  CHECK(saved(0));
  disk.let_go();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!saved(3) && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  CHECK(saved(3));
  settle("a");  // nobody asks for it to be saved
  REQUIRE(store.close());
  CHECK(saved(4));
  settle("a");
  store.save_soon();  // after the end it goes nowhere
  CHECK(saved(4));
}
