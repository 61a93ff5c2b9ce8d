#include "histogram.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>

namespace soma::bench {
namespace {

// Values below 2^bits have a bucket of their own; above, each power of two is cut into 2^(bits-1)
// equal buckets, so a bucket is at most 1/128 of its value wide.
constexpr unsigned bits = 8;
constexpr std::size_t linear = std::size_t{1} << bits;
constexpr std::size_t half = linear / 2;

std::size_t index_of(std::uint64_t value) {
  if (value < linear) return value;
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - bits;
  return linear + (shift - 1) * half + ((value >> shift) - half);
}

std::uint64_t upper_edge(std::size_t index) {
  if (index < linear) return index;
  const std::size_t shift = (index - linear) / half + 1;
  const std::uint64_t mantissa = (index - linear) % half + half;
  return ((mantissa + 1) << shift) - 1;
}

}  // namespace

histogram::histogram() : buckets_(index_of(value_max) + 1) {}

void histogram::add(std::int64_t value) {
  const auto v = std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0)), value_max);
  ++buckets_[index_of(v)];
  ++count_;
  sum_ += v;
  max_ = std::max(max_, v);
}

void histogram::merge(const histogram& other) {
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

void histogram::clear() {
  std::fill(buckets_.begin(), buckets_.end(), 0);
  count_ = sum_ = max_ = 0;
}

double histogram::mean() const {
  return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

std::uint64_t histogram::percentile(double percent) const {
  assert(percent >= 0 && percent <= 100);
  if (count_ == 0) return 0;
  const auto wanted = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(percent / 100.0 * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= wanted) return std::min(upper_edge(i), max_);
  }
  return max_;
}

}  // namespace soma::bench
