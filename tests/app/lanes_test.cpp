#include "app/lanes.hpp"

#include <doctest/doctest.h>

#include <future>
#include <string>

#include "core/by_turns.hpp"

using namespace soma;

TEST_CASE("turns: everybody's first comes before anybody's second") {
  by_turns<int> all;
  for (int n = 1; n <= 3; ++n) all.push("a", n);
  all.push("b", 10);
  all.push("c", 20);
  std::string order;
  while (!all.empty()) {
    order += std::to_string(all.pop()) + ' ';
    if (order == "1 10 ") all.push("b", 11);
  }
  CHECK(order == "1 10 20 2 11 3 ");
  CHECK(all.size() == 0);
}

TEST_CASE("lane: however much waits for one, another has the next turn but one") {
  app::lane one{1};
  std::promise<void> begun, go;
  std::string order;
  const auto wait = [&] {
    begun.set_value();
    go.get_future().wait();
  };
  REQUIRE(one.post("many", wait));
  begun.get_future().wait();
  for (int n = 0; n < 100; ++n) one.post("many", [&order] { order += 'm'; });
  one.post(app::turn_of(tenant_id("few")), [&order] { order += 'f'; });
  one.post(app::long_turn_of(tenant_id("few")), [&order] { order += 'l'; });
  CHECK(one.waiting() == 102);
  go.set_value();
  one.stop();
  CHECK(order.substr(0, 4) == "mflm");
  CHECK(order.size() == 102);
}

TEST_CASE("lane: past what may wait work is refused, and left as it was") {
  app::lane one{1, 1};
  std::promise<void> begun, go;
  one.post([&] {
    begun.set_value();
    go.get_future().wait();
  });
  begun.get_future().wait();
  CHECK(one.post("a", [] {}));
  auto kept = std::make_unique<int>(5);
  auto work = [kept = std::move(kept)] { CHECK(*kept == 5); };
  CHECK_FALSE(one.post("b", std::move(work)));
  work();
  go.set_value();
}
