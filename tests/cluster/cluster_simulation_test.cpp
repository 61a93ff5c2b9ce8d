// Random schedules of a cluster around one partition. SOMA_SEEDS sets how many, SOMA_SEED replays
// one:
//   SOMA_SEED=4711 build/dev/bin/cluster_simulation_tests
#include <doctest/doctest.h>

#include <iostream>
#include <string>

#include "cluster_world.hpp"
#include "support/seed.hpp"

using namespace soma::testing;

TEST_CASE("cluster: loses, doubles and hides nothing, whatever fails") {
  const auto one = number_from_environment("SOMA_SEED", 0);
  const auto count = one ? 1 : number_from_environment("SOMA_SEEDS", 5000);
  const auto from = one ? one : 1;
  std::uint64_t broken = 0;
  std::string why;
  for (auto seed = from; seed < from + count && !broken; ++seed) {
    try {
      cluster_world(seed).run();
    } catch (const violation& e) {
      broken = seed;
      why = e.what();
    }
  }
  INFO("replay with SOMA_SEED=" << broken << ": " << why);
  CHECK(broken == 0);
}

TEST_CASE("cluster: its simulation reaches what it is for") {
  cluster_world::counts sum;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    cluster_world world(seed);
    world.run();
    const auto& one = world.counted();
    sum.records += one.records;
    sum.voided += one.voided;
    sum.refused += one.refused;
    sum.claims += one.claims;
    sum.releases += one.releases;
    sum.kills += one.kills;
    sum.pauses += one.pauses;
    sum.written += one.written;
    sum.not_written += one.not_written;
    sum.effects += one.effects;
    sum.absences += one.absences;
    sum.gaps += one.gaps;
  }
  MESSAGE("of 200 seeds: " << sum.records << " records, " << sum.voided << " void, " << sum.gaps
                           << " gaps and copies, " << sum.refused << " refused, " << sum.claims
                           << " claims, " << sum.releases << " released, " << sum.kills
                           << " kills, " << sum.pauses << " pauses, " << sum.written << " written, "
                           << sum.not_written << " not written, " << sum.effects << " effects, "
                           << sum.absences << " questions");
  CHECK(sum.records > 10'000);
  CHECK(sum.voided > 1'000);
  CHECK(sum.gaps > 200);
  CHECK(sum.refused > 200);
  CHECK(sum.claims > 1'000);
  CHECK(sum.releases > 50);
  CHECK(sum.kills > 200);
  CHECK(sum.pauses > 200);
  CHECK(sum.written > 3'000);
  CHECK(sum.not_written > 300);
  CHECK(sum.effects > 10'000);
  CHECK(sum.absences > 500);
}
