#include <doctest/doctest.h>

#include "support/result_text.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "cluster/placement.hpp"
#include "cluster/read_position.hpp"

using namespace soma;
using namespace soma::cluster;

TEST_CASE("read position: one text for each position") {
  CHECK(to_string(read_position{3, 1234567890123}) == "3.1234567890123");
  CHECK(parse_read_position("3.1234567890123") == read_position{3, 1234567890123});
  CHECK(parse_read_position("0.0") == read_position{});
  for (const auto* wrong : {"", ".", "1.", ".1", "1.2.3", "01.2", "1.02", "-1.2", "1.-2", "+1.2",
                            "1. 2", "4294967296.1", "1.9223372036854775808", "a.b"})
    CHECK_FALSE(parse_read_position(wrong));
}

TEST_CASE("read position: is there when the record itself is applied") {
  CHECK_FALSE(covers(5, 5));
  CHECK(covers(6, 5));
}

TEST_CASE("read position: an event ahead of the head is waited for, unless its epoch is over") {
  CHECK(may_still_come({4, 42}, 40, 4));
  CHECK(may_still_come({5, 42}, 40, 4));
  CHECK_FALSE(may_still_come({3, 42}, 40, 4));
  CHECK_FALSE(may_still_come({4, 40}, 40, 4));
}

TEST_CASE("catching up: a question waits for a look that began after it came") {
  catch_up gate;
  CHECK(gate.ask(1).look);
  CHECK_FALSE(gate.ask(2).look);  // one is under way, and says nothing to this one
  auto step = gate.end_is(10, 4);
  CHECK(step.look);
  CHECK(step.ready.empty());
  CHECK(gate.applied(9).ready.empty());
  CHECK(gate.applied(10).ready == std::vector<std::uint64_t>{1});
  step = gate.end_is(10, 10);
  CHECK_FALSE(step.look);
  CHECK(step.ready == std::vector<std::uint64_t>{2});
  CHECK(gate.waiting() == 0);
}

TEST_CASE("catching up: one look serves all who came before it") {
  catch_up gate;
  gate.ask(1);
  for (std::uint64_t token = 2; token < 100; ++token) CHECK_FALSE(gate.ask(token).look);
  CHECK(gate.end_is(0, 0).look);
  CHECK(gate.end_is(0, 0).ready.size() == 98);
}

TEST_CASE("catching up: where the end cannot be had another node answers") {
  catch_up gate;
  gate.ask(1);
  gate.ask(2);
  auto step = gate.end_unknown();
  CHECK(step.unknown == std::vector<std::uint64_t>{1});
  CHECK(step.look);
  gate.forget(2);
  CHECK(gate.end_is(3, 3).ready.empty());
  gate.ask(3);
  gate.end_is(9, 3);
  gate.forget(3);
  CHECK(gate.applied(9).ready.empty());
  CHECK(gate.waiting() == 0);
}

// Producers of other languages count on these: they are fixed.
TEST_CASE("placement: a session's partition follows from its name alone") {
  const auto of = [](const char* tenant, const char* session, std::uint32_t count) {
    return partition_of(session_key{tenant_id(tenant), session_id(session)}, count);
  };
  CHECK(of("default", "7b0c6c0e-7f0a-4d53-9a5e-0d5c9f6f3f10", 64) == 53);
  CHECK(of("default", "7b0c6c0e-7f0a-4d53-9a5e-0d5c9f6f3f11", 64) == 30);
  CHECK(of("acme", "s", 64) == 33);
  CHECK(of("", "", 64) == 32);
  CHECK(of("acme", "s", 1) == 0);
  CHECK(partition_of(tenant_id("acme"), 64) == 47);
}

TEST_CASE("placement: sessions are spread, and nodes take their part") {
  std::map<std::uint32_t, int> sessions, owned;
  for (int i = 0; i < 64'000; ++i)
    ++sessions[partition_of(session_key{tenant_id("t"), session_id("session-" + std::to_string(i))},
                            64)];
  CHECK(sessions.size() == 64);
  for (const auto& [partition, count] : sessions) {
    CHECK(count > 800);
    CHECK(count < 1200);
  }
  const std::vector<std::string> nodes = {"a", "b", "c"};
  std::map<std::string, int> by_node;
  for (std::uint32_t p = 0; p < 64; ++p) ++by_node[holders(p, nodes, 2).front()];
  for (const auto& node : nodes) CHECK(by_node[node] > 10);
}

TEST_CASE("placement: a node that comes or goes moves only what it holds") {
  const std::vector<std::string> three = {"a", "b", "c"}, four = {"d", "c", "a", "b"};
  for (std::uint32_t p = 0; p < 256; ++p) {
    const auto before = holders(p, three, 3), after = holders(p, four, 4);
    REQUIRE(after.size() == 4);
    auto without = after;
    std::erase(without, "d");
    CHECK(without == before);
  }
  CHECK(holders(1, three, 2).size() == 2);
  CHECK(holders(1, three, 9).size() == 3);
  CHECK(holders(1, {}, 2).empty());
}

TEST_CASE("placement: a partition moves to who should own it, and not before that has caught up") {
  const std::uint32_t p = 5;
  std::vector<member> alive = {{"a", 100, false}, {"b", 100, false}, {"c", 100, false}};
  const std::vector<std::string> names = {"a", "b", "c"};
  const auto order = holders(p, names, 3);
  const auto at = [&](const std::string& node) -> member& {
    return *std::find_if(alive.begin(), alive.end(), [&](auto& one) { return one.node == node; });
  };
  CHECK_FALSE(gives_up_to(p, order[0], alive, 3, 10));
  CHECK(gives_up_to(p, order[1], alive, 3, 10) == order[0]);
  at(order[0]).next = 89;
  CHECK_FALSE(gives_up_to(p, order[1], alive, 3, 10));
  at(order[0]).next = 90;
  CHECK(gives_up_to(p, order[1], alive, 3, 10) == order[0]);
  // One that drains gives it to the nearest of those that stay, one by one.
  at(order[0]).draining = true;
  CHECK_FALSE(gives_up_to(p, order[1], alive, 3, 10));
  CHECK(gives_up_to(p, order[0], alive, 3, 10) == order[1]);
  at(order[1]).next = 0;
  CHECK(gives_up_to(p, order[0], alive, 3, 10) == order[2]);
  CHECK_FALSE(gives_up_to(p, order[0], alive, 1, 10));
  at(order[1]).draining = at(order[2]).draining = true;
  CHECK_FALSE(gives_up_to(p, order[0], alive, 3, 10));  // nobody is left
  CHECK_FALSE(gives_up_to(p, "unknown", alive, 3, 10));
}
