// The one-time token of the sign-in link that is printed at start. It lives in memory alone, holds
// for 15 minutes or until its first use, and is replaced by `rotate`. Thread-safe; does not block.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/may_block.hpp"
#include "security/digest.hpp"

namespace soma::security {

class sign_in_token {
 public:
  static constexpr std::int64_t ttl_ms = 15 * 60 * 1000;

  // A new token; the one before no longer holds. The text is shown to the operator and not kept.
  std::string rotate(std::int64_t now_ms);
  // True once for the current token.
  bool redeem(std::string_view token, std::int64_t now_ms);

 private:
  quick_mutex mutex_;
  digest hash_{};
  std::int64_t expires_at_ms_ = 0;
};

}  // namespace soma::security
