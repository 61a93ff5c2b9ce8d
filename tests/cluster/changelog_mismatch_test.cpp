// A log that was cut and grew again, as an unclean election leaves it, is found by who had read
// what is gone: nothing of the new log counts at such a reader, and it says so.
#include <doctest/doctest.h>

#include "support/result_text.hpp"

#include "cluster_world.hpp"

using namespace soma::cluster;
using namespace soma::testing;

namespace {

struct reader {
  partition_state state;
  fact_table facts;

  judgement read(const log_record& one) {
    auto judged = apply(state, facts, one.offset, std::string_view(one.bytes));
    if (judged.what != verdict::counted) return judged;
    const auto decoded = decode(one.bytes);
    if (const auto* under = std::get_if<owned>(&decoded->one.what))
      if (const auto* what = std::get_if<atom>(&under->what))
        facts.carry_out(state, one.offset, *what, judged);
    return judged;
  }
};

// What another node goes on to write behind `at`: claims, and a few records under each.
std::vector<log_record> grown_again(reader at, std::mt19937_64& random) {
  std::vector<log_record> out;
  const auto put = [&](record one) {
    log_record next{at.state.next, encode(one)};
    REQUIRE(at.read(next).what == verdict::counted);
    out.push_back(std::move(next));
  };
  for (auto claims = 1 + random() % 4; claims > 0; --claims) {
    put({1, claim{at.state.changelog, at.state.claim, at.state.epoch + 1, "Z",
                  "z" + std::to_string(claims), at.state.claim_digest}});
    for (auto n = 1 + random() % 12; n > 0; --n)
      put({1, owned{at.state.claim, at.state.n + 1, at.state.time_ms, at.state.digest, alive{}}});
  }
  return out;
}

}  // namespace

TEST_CASE("changelog: one that was cut and grew again is not taken for the one that was read") {
  std::mt19937_64 random(11);
  int stopped = 0, told_at_start = 0, claims_seen = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    cluster_world world(seed);
    world.run();
    const auto& log = world.log();
    for (int round = 0; round < 4; ++round) {
      const auto cut = 2 + random() % (log.size() - 3);
      const auto read = cut + 1 + random() % (std::min(log.size() - cut, std::size_t{12}));
      reader before, behind;
      for (std::size_t i = 0; i < cut; ++i) before.read(log[i]);
      for (std::size_t i = 0; i < read && i < log.size(); ++i) behind.read(log[i]);
      if (before.state.changelog.empty()) continue;
      if (before.state.digest == behind.state.digest) continue;  // what is gone was void
      const auto fresh = grown_again(before, random);
      bool same = false;
      for (const auto& one : fresh) same = same || same_log(behind.state, one.offset, one.bytes);
      CHECK_FALSE(same);
      told_at_start += !same;
      const auto at = behind.state.next;
      bool claimed = false;
      for (const auto& one : fresh) {
        if (one.offset < at) continue;
        const auto judged = behind.read(one);
        CHECK(judged.what != verdict::counted);
        CHECK(judged.what != verdict::refused);
        const auto decoded = decode(one.bytes);
        // Under a claim that was made behind its place it is known at the first record.
        if (claimed) {
          CHECK(judged.what == verdict::stopped);
          ++claims_seen;
        }
        claimed = claimed || std::holds_alternative<claim>(decoded->one.what);
        if (judged.what == verdict::stopped) {
          CHECK(judged.why == reason::digest_differs);
          ++stopped;
          break;
        }
      }
    }
  }
  MESSAGE(stopped << " stopped, " << told_at_start << " told by the last record alone");
  CHECK(stopped > 100);
  CHECK(claims_seen > 50);
  CHECK(told_at_start > 300);
}
