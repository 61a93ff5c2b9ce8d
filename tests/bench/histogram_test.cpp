#include "histogram.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using soma::bench::histogram;

TEST_CASE("histogram: is empty at first") {
  const histogram h;
  CHECK(h.count() == 0);
  CHECK(h.percentile(50) == 0);
  CHECK(h.max() == 0);
  CHECK(h.mean() == 0.0);
}

TEST_CASE("histogram: small values are exact") {
  histogram h;
  for (int v = 1; v <= 100; ++v) h.add(v);
  CHECK(h.percentile(0) == 1);
  CHECK(h.percentile(1) == 1);
  CHECK(h.percentile(50) == 50);
  CHECK(h.percentile(99) == 99);
  CHECK(h.percentile(100) == 100);
  CHECK(h.mean() == doctest::Approx(50.5));
}

TEST_CASE("histogram: a value alone is told within its bucket at every power of two") {
  for (unsigned shift = 0; shift < 42; ++shift) {
    for (const std::int64_t near : {-1, 0, 1}) {
      const std::int64_t value = (std::int64_t{1} << shift) + near;
      histogram h;
      h.add(value);
      CHECK(h.percentile(50) == static_cast<std::uint64_t>(value));
    }
  }
}

TEST_CASE(
    "histogram: percentiles of a wide spread are within one part in 128 of the sorted truth") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  std::lognormal_distribution<double> spread(13, 2.5);
  histogram h;
  std::vector<std::uint64_t> truth;
  for (int i = 0; i < 50'000; ++i) {
    const auto value =
        std::min<std::uint64_t>(static_cast<std::uint64_t>(spread(random)), histogram::value_max);
    truth.push_back(value);
    h.add(static_cast<std::int64_t>(value));
  }
  std::sort(truth.begin(), truth.end());
  for (const double p : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(p / 100 * 50'000));
    const auto exact = static_cast<double>(truth[rank - 1]);
    const auto told = static_cast<double>(h.percentile(p));
    CAPTURE(p);
    CHECK(told >= exact);
    CHECK(told <= exact * (1 + 1.0 / 128) + 1);
  }
}

TEST_CASE("histogram: merging equals having counted in one") {
  histogram one, left, right;
  for (int i = 0; i < 10'000; ++i) {
    const auto value = std::int64_t{i} * i * 37;
    one.add(value);
    (i % 3 ? left : right).add(value);
  }
  left.merge(right);
  CHECK(left.count() == one.count());
  CHECK(left.max() == one.max());
  CHECK(left.mean() == doctest::Approx(one.mean()));
  for (const double p : {5.0, 50.0, 95.0, 99.9}) CHECK(left.percentile(p) == one.percentile(p));
}

TEST_CASE("histogram: negative values count as zero, too large ones as the largest") {
  histogram h;
  h.add(-5);
  CHECK(h.percentile(100) == 0);
  h.add(std::int64_t{1} << 60);
  CHECK(h.max() == histogram::value_max);
  CHECK(h.percentile(100) == histogram::value_max);
  h.clear();
  CHECK(h.count() == 0);
}
