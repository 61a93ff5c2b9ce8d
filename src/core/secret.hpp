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

// All that the string has room for: a short one that was moved from is empty, and its bytes are
// still there.
inline void wipe(std::string& text) {
  text.resize(text.capacity());
  wipe(text.data(), text.size());
  text.clear();
}

class secret_string {
 public:
  secret_string() = default;
  explicit secret_string(std::string value) : value_(std::move(value)) { soma::wipe(value); }
  secret_string(const secret_string&) = default;
  secret_string(secret_string&& other) noexcept : value_(std::move(other.value_)) {
    soma::wipe(other.value_);
  }
  secret_string& operator=(secret_string other) noexcept {
    value_.swap(other.value_);
    return *this;
  }
  ~secret_string() { soma::wipe(value_); }

  bool empty() const { return value_.empty(); }
  // The only way to the text; every use is a place to look at in a review.
  std::string_view reveal() const { return value_; }

 private:
  std::string value_;
};

}  // namespace soma
