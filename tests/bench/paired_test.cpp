#include "paired.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace soma::bench;

TEST_CASE("paired rounds: weather that moves both builds is no change") {
  // The machine is three times slower in every other round; the builds are the same.
  const std::vector<double> base{100, 300, 101, 310, 99, 305, 102, 290};
  const std::vector<double> changed{101, 298, 100, 312, 100, 303, 101, 293};
  const auto found = compare_rounds(base, changed);
  CHECK(found.confidence >= 0.95);
  CHECK_FALSE(found.beyond_noise());
  CHECK(found.ratio == doctest::Approx(1).epsilon(0.01));
}

TEST_CASE("paired rounds: a small change is seen through weather ten times its size") {
  std::vector<double> base, changed;
  for (const double weather : {1.0, 1.9, 1.2, 2.4, 1.1, 1.7, 1.3, 2.0}) {
    base.push_back(100 * weather);
    changed.push_back(95 * weather * (1 + 0.002 * std::sin(7 * weather)));
  }
  const auto found = compare_rounds(base, changed);
  CHECK(found.beyond_noise());
  CHECK(found.ratio == doctest::Approx(0.95).epsilon(0.005));
  CHECK(found.high < 1);
}

TEST_CASE("paired rounds: one wild round does not decide") {
  const std::vector<double> base{100, 100, 100, 100, 100, 100, 100, 100};
  const std::vector<double> changed{90, 91, 89, 90, 92, 88, 90, 900};
  const auto found = compare_rounds(base, changed, 0.9);
  CHECK(found.ratio == doctest::Approx(0.9).epsilon(0.02));
}

TEST_CASE("paired rounds: too few rounds, or none with a value, decide nothing") {
  CHECK_FALSE(compare_rounds({1, 1, 1, 1, 1}, {2, 2, 2, 2, 2}).beyond_noise());
  CHECK(compare_rounds({1, 1, 1, 1, 1, 1}, {2, 2, 2, 2, 2, 2}).beyond_noise());
  CHECK(compare_rounds({}, {}).confidence == 0);
  CHECK(compare_rounds({0, 0, 0, 0, 0, 0}, {2, 2, 2, 2, 2, 2}).confidence == 0);
}

TEST_CASE("paired rounds: the interval of eight rounds is Wilcoxon's") {
  // n = 8: P(T <= 3) = 5/256, P(T <= 4) = 7/256, so cutting three at each end leaves 96.1 %.
  const std::vector<double> base(8, 1.0);
  const std::vector<double> changed{1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07, 1.08};
  const auto found = compare_rounds(base, changed);
  CHECK(found.confidence == doctest::Approx(1 - 10.0 / 256));
}
