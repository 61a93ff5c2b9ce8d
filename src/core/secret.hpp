// Text that must never reach a log: it has no stream operator, no formatter and no comparison, and
// wipes its memory. Not thread-safe while written.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace soma {

// Zeroes what held a secret, also where the compiler sees that nobody reads it again.
inline void wipe(char* bytes, std::size_t count) {
  for (volatile char* at = bytes; count > 0; --count) *at++ = 0;
}

class secret_string {
 public:
  secret_string() = default;
  explicit secret_string(std::string value) : value_(std::move(value)) {}
  secret_string(const secret_string&) = default;
  secret_string(secret_string&& other) noexcept : value_(std::move(other.value_)) { other.wipe(); }
  secret_string& operator=(secret_string other) noexcept {
    value_.swap(other.value_);
    return *this;
  }
  ~secret_string() { wipe(); }

  bool empty() const { return value_.empty(); }
  // The only way to the text; every use is a place to look at in a review.
  std::string_view reveal() const { return value_; }

 private:
  void wipe() {
    soma::wipe(value_.data(), value_.size());
    value_.clear();
  }
  std::string value_;
};

}  // namespace soma
