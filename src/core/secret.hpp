// Text that must never reach a log: it has no stream operator, no formatter and no comparison, and
// wipes its memory. Not thread-safe while written.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace soma {

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
    volatile char* bytes = value_.data();
    for (std::size_t i = 0; i < value_.size(); ++i) bytes[i] = 0;
    value_.clear();
  }
  std::string value_;
};

}  // namespace soma
