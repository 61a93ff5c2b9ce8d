// Monotonic time in nanoseconds. Every stamp of a run is taken and read in this one process, so
// differences between stamps need no clock agreement.
#pragma once

#include <cstdint>
#include <ctime>

namespace soma::bench {

inline constexpr std::int64_t ns_per_ms = 1'000'000;
inline constexpr std::int64_t ns_per_s = 1'000'000'000;

inline std::int64_t now_ns() {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * ns_per_s + ts.tv_nsec;
}

}  // namespace soma::bench
