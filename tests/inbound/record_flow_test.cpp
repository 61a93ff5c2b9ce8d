#include "inbound/record_flow.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>
#include <string>

#include "support/seed.hpp"

using namespace soma;
using namespace soma::inbound;

namespace {

flow_limits small() {
  flow_limits most;
  most.begun_max = 4;
  most.partition_records_max = 8;
  most.partition_bytes_max = 1000;
  return most;
}

}  // namespace

TEST_CASE("record flow: a partition is as far as its first record that is not done with") {
  record_flow flow(small());
  flow.gained(0);
  CHECK_FALSE(flow.position(0));
  const auto a = flow.take(0, 10, {}, 1), b = flow.take(0, 11, {}, 1), c = flow.take(0, 15, {}, 1);
  CHECK(flow.begin(0).size() == 2);  // a partition has half of the places
  CHECK(flow.moved(0) == 10);
  CHECK(flow.settle(b));
  CHECK_FALSE(flow.moved(0));
  CHECK(flow.settle(a));
  CHECK(flow.moved(0) == 15);
  CHECK(flow.begin(0) == std::vector<std::uint64_t>{c});
  CHECK(flow.settle(c));
  CHECK(flow.moved(0) == 16);
  CHECK_FALSE(flow.moved(0));
  CHECK(flow.has_taken(0, 15));
  CHECK_FALSE(flow.has_taken(0, 16));
  CHECK(flow.begun() == 0);
  CHECK(flow.kept() == 0);
}

TEST_CASE("record flow: records of a session go one after another, and one tried again waits") {
  record_flow flow(small());
  flow.gained(0);
  const auto a = flow.take(0, 0, "s", 1), b = flow.take(0, 1, "s", 1), c = flow.take(0, 2, "t", 1);
  CHECK(flow.begin(0) == std::vector<std::uint64_t>{a, c});
  CHECK(flow.again(a, 500));
  CHECK(flow.settle(c));
  CHECK(flow.next_try_ms() == 500);
  CHECK(flow.begin(499).empty());  // not b either: it is behind a
  CHECK(flow.begin(500) == std::vector<std::uint64_t>{a});
  CHECK(flow.settle(a));
  CHECK(flow.begin(500) == std::vector<std::uint64_t>{b});
}

TEST_CASE("record flow: one partition that stands still leaves others their places") {
  record_flow flow(small());
  flow.gained(0);
  flow.gained(1);
  for (std::int64_t n = 0; n < 8; ++n) (void)flow.take(0, n, {}, 1);
  CHECK(flow.is_full(0));
  CHECK_FALSE(flow.has_room(0));
  CHECK(flow.begin(0).size() == 2);
  const auto other = flow.take(1, 0, {}, 1);
  CHECK(flow.begin(0) == std::vector<std::uint64_t>{other});
  CHECK_FALSE(flow.is_full(1));
  (void)flow.take(1, 1, {}, 1000);
  CHECK(flow.is_full(1));
}

TEST_CASE("record flow: what a partition leaves behind holds its place until it is over") {
  record_flow flow(small());
  flow.gained(0);
  const auto a = flow.take(0, 0, {}, 1), b = flow.take(0, 1, "s", 1), c = flow.take(0, 2, "s", 1);
  CHECK(flow.begin(0) == std::vector<std::uint64_t>{a, b});
  CHECK(flow.lost(0) == std::vector<std::uint64_t>{c});
  CHECK_FALSE(flow.knows(a));
  CHECK(flow.begun() == 2);
  flow.gained(0);
  const auto a2 = flow.take(0, 0, {}, 1);  // it came again
  CHECK(flow.begin(0) == std::vector<std::uint64_t>{a2});
  CHECK_FALSE(flow.settle(a));
  CHECK_FALSE(flow.again(b, 10));
  CHECK(flow.position(0) == 0);
  CHECK(flow.settle(a2));
  CHECK(flow.position(0) == 1);
  CHECK(flow.begun() == 0);
}

// Whatever happens: no place is told before all in front of it is done with, one order is begun in
// its order, no more is begun than may be, and in the end all is done.
TEST_CASE("record flow: holds whatever comes") {
  std::mt19937_64 chance(testing::seed_of("record flow"));
  const auto below = [&](std::uint64_t n) { return chance() % n; };
  for (int round = 0; round < 300; ++round) {
    record_flow flow(small());
    struct known {
      std::int32_t partition;
      std::int64_t offset;
      std::string order;
    };
    std::map<std::uint64_t, known> all;
    std::map<std::int32_t, std::int64_t> stored, next;
    std::map<std::int32_t, std::set<std::int64_t>> done;
    std::map<std::pair<std::int32_t, std::string>, std::int64_t> last_done;
    std::set<std::uint64_t> begun;
    std::int64_t now = 0;
    constexpr std::int64_t length = 40;
    for (int step = 0; step < 3000; ++step) {
      const auto p = static_cast<std::int32_t>(below(3));
      const auto what = below(100);
      if (what < 2 && flow.has(p)) {
        for (const auto number : flow.lost(p)) all.erase(number);
      } else if (what < 10 && !flow.has(p)) {
        flow.gained(p);
        next[p] = stored[p];
        for (auto& [of, offset] : last_done)
          if (of.first == p) offset = -1;
      } else if (what < 50 && flow.has(p) && !flow.is_full(p) && next[p] < length) {
        const std::string order = below(2) ? "" : std::string(1, static_cast<char>('a' + below(2)));
        const auto number = flow.take(p, next[p], order, 1 + below(50));
        all[number] = {p, next[p]++, order};
      } else if (what < 70) {
        for (const auto number : flow.begin(now)) {
          CHECK(begun.insert(number).second);
          const auto& one = all.at(number);
          if (!one.order.empty())
            for (const auto& [other, it] : all)
              if (flow.knows(other) && it.partition == one.partition && it.order == one.order)
                CHECK(it.offset >= one.offset);
        }
        CHECK(begun.size() == flow.begun());
        CHECK(begun.size() <= 4);
      } else if (!begun.empty()) {
        auto at = begun.begin();
        std::advance(at, static_cast<std::ptrdiff_t>(below(begun.size())));
        const auto number = *at;
        begun.erase(at);
        if (below(4) == 0) {
          if (!flow.again(number, now + static_cast<std::int64_t>(below(20)))) all.erase(number);
        } else {
          const auto one = all.at(number);
          if (flow.settle(number)) done[one.partition].insert(one.offset);
          all.erase(number);
        }
      }
      ++now;
      for (const auto of : flow.partitions())
        if (const auto place = flow.moved(of)) {
          for (std::int64_t n = 0; n < *place; ++n) CHECK(done[of].contains(n));
          CHECK(*place >= stored[of]);
          stored[of] = *place;
        }
    }
  }
}
