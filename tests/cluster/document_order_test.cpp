// Random schedules of nodes that derive documents. SOMA_SEEDS sets how many, SOMA_SEED replays one.
#include <doctest/doctest.h>

#include <string>

#include "documents_world.hpp"
#include "support/seed.hpp"

using namespace soma::testing;

TEST_CASE("documents: all nodes have the same, whatever they read first") {
  const auto one = number_from_environment("SOMA_SEED", 0);
  const auto count = one ? 1 : number_from_environment("SOMA_SEEDS", 5000);
  const auto from = one ? one : 1;
  std::uint64_t broken = 0;
  std::string why;
  for (auto seed = from; seed < from + count && !broken; ++seed) {
    try {
      documents_world(seed).run();
    } catch (const violation& e) {
      broken = seed;
      why = e.what();
    }
  }
  INFO("replay with SOMA_SEED=" << broken << ": " << why);
  CHECK(broken == 0);
}

TEST_CASE("documents: their simulation reaches what it is for") {
  documents_world::counts sum;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    documents_world world(seed);
    world.run();
    const auto& one = world.counted();
    sum.brought += one.brought;
    sum.derived += one.derived;
    sum.refused += one.refused;
    sum.written += one.written;
    sum.kills += one.kills;
    sum.claims += one.claims;
    sum.holes += one.holes;
    sum.seen += one.seen;
  }
  MESSAGE("of 200 seeds: " << sum.brought << " brought, " << sum.derived << " derived, "
                           << sum.refused << " refused in their turn, " << sum.written
                           << " written, " << sum.kills << " kills, " << sum.claims << " claims, "
                           << sum.holes << " holes, " << sum.seen << " again");
  CHECK(sum.derived > 3'000);
  CHECK(sum.refused > 100);
  CHECK(sum.written > 1'000);
  CHECK(sum.kills > 200);
  CHECK(sum.claims > 500);
  CHECK(sum.holes > 5);
  CHECK(sum.seen > 5);
}
