// Whether somebody who keeps failing is asked. After so many failures in a row nobody is let
// through for a time; then one at a time finds out whether it is well again. Pure: time is given.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

namespace soma::security {

class breaker {
 public:
  breaker(unsigned failures_max, std::int64_t open_ms)
      : failures_max_(failures_max), open_ms_(open_ms) {}

  // True: the caller asks, and says how it went.
  bool let_through(std::int64_t now_ms) {
    if (failures_ < failures_max_) return true;
    if (trying_ || now_ms < open_until_ms_) return false;
    return trying_ = true;
  }
  void answered() {
    failures_ = 0;
    trying_ = false;
  }
  void failed(std::int64_t now_ms) {
    if (failures_ < failures_max_) ++failures_;
    trying_ = false;
    if (failures_ >= failures_max_) open_until_ms_ = now_ms + open_ms_;
  }
  std::string_view state(std::int64_t now_ms) const {
    if (failures_ < failures_max_) return "closed";
    return trying_ || now_ms >= open_until_ms_ ? "half_open" : "open";
  }

 private:
  const unsigned failures_max_;
  const std::int64_t open_ms_;
  unsigned failures_ = 0;  // in a row
  bool trying_ = false;
  std::int64_t open_until_ms_ = 0;
};

}  // namespace soma::security
