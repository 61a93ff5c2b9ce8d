// When a log that cannot be read on is lost, and when it only looks so.
#include "replication/log_doubt.hpp"

#include <doctest/doctest.h>

using namespace soma;
using namespace soma::replication;
using kafka::seen_log;
using verdict = log_doubt::verdict;

namespace {

constexpr seen_log silence{};
constexpr seen_log no_log{seen_log::answer::no_log};

seen_log ends(std::int64_t first, std::int64_t end) {
  return {seen_log::answer::its_ends, first, end};
}

// Looks each second, until something other than waiting is said; how long that took.
std::int64_t until(log_doubt& doubt, verdict wanted, const seen_log& seen, std::int64_t place,
                   bool holds, std::int64_t from_ms = 0) {
  for (std::int64_t now = from_ms;; now += 1000) {
    const auto said = doubt.looked(now, seen, place, holds);
    if (said == wanted) return now - from_ms;
    REQUIRE(said != verdict::lost);
    REQUIRE(now < from_ms + 1'000'000);
  }
}

}  // namespace

TEST_CASE("doubt: a place that is there is read again at once, and then now and then") {
  log_doubt doubt({}, "why");
  CHECK(doubt.looked(0, ends(0, 10), 10, false) == verdict::begin_again);
  CHECK(doubt.looked(1000, ends(0, 10), 10, false) == verdict::wait);
  CHECK(doubt.looked(5000, ends(0, 12), 10, false) == verdict::begin_again);
}

TEST_CASE("doubt: what brokers deny is lost after they denied it for the stated time") {
  log_doubt doubt({}, "why");
  CHECK(until(doubt, verdict::lost, no_log, 10, false) == 30'000);
  CHECK(doubt.why().find("why: there is no such topic") == 0);
}

TEST_CASE("doubt: a log that ends before the place is lost by the same end alone") {
  log_doubt doubt({}, "why");
  // The last record that was applied has to be there.
  for (std::int64_t now = 0; now < 25'000; now += 1000)
    CHECK(doubt.looked(now, ends(0, 9), 9, true) == verdict::wait);
  CHECK(doubt.looked(25'000, ends(0, 7), 9, true) == verdict::wait);
  CHECK(until(doubt, verdict::lost, ends(0, 7), 9, true, 26'000) == 29'000);
  CHECK(doubt.why().find("ends at 7") != std::string::npos);
}

TEST_CASE("doubt: a log that begins behind the place is lost, though it grows") {
  log_doubt doubt({}, "why");
  std::int64_t now = 0;
  for (; now < 30'000; now += 1000)
    CHECK(doubt.looked(now, ends(5, 10 + now), 3, false) == verdict::wait);
  CHECK(doubt.looked(now, ends(5, 10 + now), 3, false) == verdict::lost);
}

TEST_CASE("doubt: who does not answer says nothing, and what was said before is no longer enough") {
  log_doubt doubt({}, "why");
  for (std::int64_t now = 0; now < 29'000; now += 1000)
    CHECK(doubt.looked(now, no_log, 10, false) == verdict::wait);
  for (std::int64_t now = 29'000; now < 600'000; now += 1000)
    CHECK(doubt.looked(now, silence, 10, false) == verdict::wait);
  CHECK(doubt.looked(600'000, no_log, 10, false) == verdict::wait);
  CHECK(doubt.looked(601'000, ends(0, 10), 10, false) == verdict::begin_again);
}

TEST_CASE("doubt: a few looks far apart are too few") {
  log_doubt doubt({}, "why");
  CHECK(doubt.looked(0, no_log, 10, false) == verdict::wait);
  CHECK(doubt.looked(100'000, no_log, 10, false) == verdict::wait);
  CHECK(doubt.looked(200'000, no_log, 10, false) == verdict::wait);
  CHECK(doubt.looked(300'000, no_log, 10, false) == verdict::wait);
  CHECK(doubt.looked(400'000, no_log, 10, false) == verdict::lost);
}

TEST_CASE("doubt: a place that is there and cannot be read is lost in the end") {
  log_doubt doubt({}, "bad record");
  CHECK(until(doubt, verdict::lost, ends(0, 10), 5, false) == 30'000);
  CHECK(doubt.why().find("cannot be read") != std::string::npos);
}
