#include "outbox/relay.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <set>

#include "core/codes.hpp"
#include "sealing/sealed_event_log.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::outbox;

namespace {

// Takes rows `session text`, or does what it is told.
class scripted_sink final : public sink {
 public:
  std::string_view name() const override { return "one"; }
  std::optional<row_facts> facts(std::string_view payload) const override {
    const auto space = payload.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    row_facts out;
    out.tenant = out.group = "t";
    out.session = out.order = payload.substr(0, space);
    return out;
  }
  attempt send(const std::vector<std::string>& payloads) override {
    const std::lock_guard lock(mutex);
    attempt out;
    if (away) {
      out.how = attempt::kind::away;
      out.why = "away";
      return out;
    }
    for (const auto& payload : payloads) {
      const bool bad = payload.ends_with("bad");
      out.rows.push_back(bad ? row_outcome::refused : row_outcome::done);
      if (!bad) taken.push_back(payload);
      out.why = "not taken";
    }
    return out;
  }
  void gave_up(std::string_view payload) override {
    const std::lock_guard lock(mutex);
    given_up.emplace_back(payload);
  }
  std::int64_t since_ms(std::string_view) const override { return 1'700'000'000'000; }
  void stop() override {}

  std::mutex mutex;
  bool away = false;
  std::vector<std::string> taken, given_up;
};

struct world {
  std::unique_ptr<storage::event_log> log = storage::make_memory_event_log();
  dead_letters letters{*log};
  scripted_sink to;
  std::unique_ptr<outbox::relay> relay;

  static plan_limits quick() {
    plan_limits limits;
    limits.backoff_ms_min = limits.backoff_ms_max = limits.breaker_ms = 1;
    limits.attempts_max = 2;
    return limits;
  }
  void start() {
    relay = std::make_unique<outbox::relay>(
        outbox::relay::needs{*log, to, letters, quick(), [](const std::string&) {}});
  }
  void commit(std::vector<std::string> payloads) {
    storage::row_batch rows;
    for (auto& payload : payloads) rows.outbox.push_back({"one", std::move(payload)});
    REQUIRE(log->write_rows(rows));
    if (relay) relay->wake();
  }
  std::size_t waiting() { return log->read_outbox("one", 0, 1000).value().rows.size(); }
  template <class Condition>
  void wait_for(Condition met) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!met() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    REQUIRE(met());
  }
};

}  // namespace

TEST_CASE("rows are deleted once they were taken and those of before a start are, too") {
  world w;
  w.commit({"a 1", "b 1", "a 2"});
  w.start();
  w.commit({"a 3"});
  w.wait_for([&] { return w.waiting() == 0; });
  std::vector<std::string> of_a;
  for (const auto& one : w.to.taken)
    if (one.starts_with("a")) of_a.push_back(one);
  CHECK(of_a == std::vector<std::string>{"a 1", "a 2", "a 3"});
  CHECK(w.relay->figures().depth == 0);
  CHECK(w.relay->figures().sent == 4);
}

TEST_CASE("rows wait in the store while their sink is away and the breaker says so") {
  world w;
  w.to.away = true;
  w.start();
  w.commit({"a 1", "b 1"});
  w.wait_for([&] { return w.relay->figures().failed > 3; });
  CHECK(w.relay->figures().trouble == "away");
  w.wait_for([&] { return w.relay->figures().oldest_since_ms > 0; });
  CHECK(w.relay->figures().depth == 2);
  CHECK(w.waiting() == 2);
  w.relay.reset();  // as after the process ended
  {
    const std::lock_guard lock(w.to.mutex);
    w.to.away = false;
  }
  w.start();
  w.wait_for([&] { return w.waiting() == 0; });
  CHECK(w.to.taken.size() == 2);
}

TEST_CASE("rows that are read while they are counted count once") {
  for (int round = 0; round < 20; ++round) {
    world w;
    w.to.away = true;
    for (int i = 0; i < 30; ++i) {
      std::vector<std::string> some;
      for (int n = 0; n < 100; ++n) some.push_back("s" + std::to_string(n) + " text");
      w.commit(std::move(some));
    }
    w.start();
    std::uint64_t most = 0;
    w.wait_for([&] {
      const auto depth = w.relay->figures().depth;
      most = std::max(most, depth);
      return depth >= 3000;
    });
    CHECK(most == 3000);
  }
}

TEST_CASE("a row that is refused again and again is a dead letter and those behind it go on") {
  world w;
  w.start();
  w.commit({"a 1", "a bad", "a 2", "unreadable"});
  w.wait_for([&] { return w.waiting() == 0; });
  CHECK(w.to.taken == std::vector<std::string>{"a 1", "a 2"});
  w.wait_for([&] {
    const std::lock_guard lock(w.to.mutex);
    return w.to.given_up == std::vector<std::string>{"a bad"};
  });
  const auto kept = w.letters.list(tenant_id("t"), "one", {}, 10).value().rows;
  REQUIRE(kept.size() == 1);
  CHECK(kept[0].payload == "a bad");
  CHECK(kept[0].session_id == "a");
  CHECK(kept[0].attempts == 2);
  CHECK(kept[0].last_error == "not taken");
}

TEST_CASE("a row of an erased tenant that its sink refuses is dropped, and others go on") {
  world w;
  soma::testing::temp_folder folder;
  auto keys =
      security::tenant_keys::open({folder / "keys", {secret_string(std::string(32, 'w'))}, true})
          .value();
  REQUIRE(keys->erase(tenant_id("t"), 1));
  sealing::sealed_event_log sealed(*w.log, *keys);
  dead_letters letters(sealed);
  w.relay = std::make_unique<outbox::relay>(
      outbox::relay::needs{sealed, w.to, letters, world::quick(), [](const std::string&) {}});
  w.commit({"a bad", "b bad", "c 1"});
  w.wait_for([&] { return w.waiting() == 0; });
  CHECK(letters.count() == 0);
  w.relay.reset();
}
