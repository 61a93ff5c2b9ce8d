// Whether two builds differ, by rounds in which both were measured side by side. Weather of the
// machine that lasts longer than a round moves both and drops out of their ratio; what is left is
// judged by ranks, so that one wild round does not decide.
#pragma once

#include <vector>

namespace soma::bench {

struct paired_ratio {
  double ratio = 1;          // changed / base, the middle of all rounds (Hodges and Lehmann)
  double low = 0, high = 0;  // an interval that holds it with `confidence`
  double confidence = 0;     // 0: too few rounds for one
  bool beyond_noise() const { return confidence > 0 && (low > 1 || high < 1); }
};

// Signed ranks of the logarithms of the rounds' ratios (Wilcoxon), exact: no assumption about their
// distribution but that it is symmetric. The interval is the narrowest of at least `wanted`
// confidence; with fewer than six rounds there is none of 95 %.
// Precondition: both have one value a round, in the same order. A round with a value that is not
// above 0 is left out.
paired_ratio compare_rounds(const std::vector<double>& base, const std::vector<double>& changed,
                            double wanted = 0.95);

}  // namespace soma::bench
