#include "paired.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace soma::bench {
namespace {

// The chance that the sum of signed ranks of n values is at most `sum`, where nothing differs:
// of all 2^n ways to give ranks 1 … n a sign, how many have so small a sum of positive ones.
double chance_at_most(std::size_t n, std::size_t sum) {
  std::vector<double> ways(n * (n + 1) / 2 + 1, 0);
  ways[0] = 1;
  for (std::size_t rank = 1; rank <= n; ++rank) {
    for (std::size_t s = ways.size(); s-- > rank;) ways[s] += ways[s - rank];
  }
  double few = 0;
  for (std::size_t s = 0; s <= std::min(sum, ways.size() - 1); ++s) few += ways[s];
  return few / std::pow(2.0, static_cast<double>(n));
}

double middle_of(const std::vector<double>& sorted) {
  const auto n = sorted.size();
  return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

}  // namespace

paired_ratio compare_rounds(const std::vector<double>& base, const std::vector<double>& changed,
                            double wanted) {
  std::vector<double> logs;
  for (std::size_t i = 0; i < std::min(base.size(), changed.size()); ++i) {
    if (base[i] > 0 && changed[i] > 0) logs.push_back(std::log(changed[i] / base[i]));
  }
  paired_ratio found;
  if (logs.empty()) return found;
  std::vector<double> means;  // of all pairs of rounds, each with itself as well
  for (std::size_t i = 0; i < logs.size(); ++i) {
    for (std::size_t j = i; j < logs.size(); ++j) means.push_back((logs[i] + logs[j]) / 2);
  }
  std::sort(means.begin(), means.end());
  found.ratio = std::exp(middle_of(means));
  found.low = std::exp(means.front());
  found.high = std::exp(means.back());
  const auto confidence_without =
      [&](std::size_t cut) {  // of the interval without `cut` at each end
        return 1 - 2 * chance_at_most(logs.size(), cut);
      };
  if (confidence_without(0) < wanted) return found;
  std::size_t cut = 0;
  while (2 * (cut + 2) <= means.size() && confidence_without(cut + 1) >= wanted) ++cut;
  found.low = std::exp(means[cut]);
  found.high = std::exp(means[means.size() - 1 - cut]);
  found.confidence = confidence_without(cut);
  return found;
}

}  // namespace soma::bench
