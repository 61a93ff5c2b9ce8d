// A log-bucketed histogram in the manner of HdrHistogram: fixed memory, one increment a value, and
// a relative error of at most 1/128 at any size. Values are non-negative integers (here:
// nanoseconds); larger ones than `value_max` count as `value_max`. Not thread-safe; merge instead.
#pragma once

#include <cstdint>
#include <vector>

namespace soma::bench {

class histogram {
 public:
  static constexpr std::uint64_t value_max = (std::uint64_t{1} << 42) - 1;  // 73 minutes in ns

  histogram();

  void add(std::int64_t value);  // a negative value counts as 0
  void merge(const histogram& other);
  void clear();

  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }
  double mean() const;

  // The smallest bucket edge that at least `percent` of the values do not exceed; 0 when empty.
  // Precondition: 0 <= percent <= 100.
  std::uint64_t percentile(double percent) const;

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace soma::bench
