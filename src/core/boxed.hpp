// A value that is mostly not there and large when it is: as std::optional, but in a block of its
// own, so that its absence costs a pointer. Copies are deep. Not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <utility>

namespace soma {

template <class T>
class boxed {
 public:
  boxed() = default;
  boxed(std::nullopt_t) {}
  boxed(T value) : held_(std::make_unique<T>(std::move(value))) {}
  boxed(const boxed& other) : held_(other.held_ ? std::make_unique<T>(*other.held_) : nullptr) {}
  boxed(boxed&&) noexcept = default;
  boxed& operator=(const boxed& other) {
    if (this != &other) *this = boxed(other);
    return *this;
  }
  boxed& operator=(boxed&&) noexcept = default;
  ~boxed() = default;

  explicit operator bool() const { return held_ != nullptr; }
  bool has_value() const { return held_ != nullptr; }
  T& operator*() { return *held_; }
  const T& operator*() const { return *held_; }
  T* operator->() { return held_.get(); }
  const T* operator->() const { return held_.get(); }

  template <class... From>
  T& emplace(From&&... from) {
    held_ = std::make_unique<T>(std::forward<From>(from)...);
    return *held_;
  }
  void reset() { held_.reset(); }

 private:
  std::unique_ptr<T> held_;
};

}  // namespace soma
