// A queue for what is mostly empty or short, in one block that goes once it is empty and was large:
// a std::deque takes 600 bytes from its beginning and keeps them. Not thread-safe.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace soma {

template <class T>
class small_queue {
 public:
  small_queue() = default;
  small_queue(const small_queue&) = default;
  small_queue& operator=(const small_queue&) = default;
  // What was moved from is empty.
  small_queue(small_queue&& other) noexcept
      : items_(std::exchange(other.items_, {})), first_(std::exchange(other.first_, 0)) {}
  small_queue& operator=(small_queue&& other) noexcept {
    items_ = std::exchange(other.items_, {});
    first_ = std::exchange(other.first_, 0);
    return *this;
  }

  bool empty() const { return first_ == items_.size(); }
  std::size_t size() const { return items_.size() - first_; }

  T& front() { return items_[first_]; }
  const T& front() const { return items_[first_]; }
  T& back() { return items_.back(); }
  const T& back() const { return items_.back(); }
  // From front to back.
  auto begin() { return items_.begin() + static_cast<std::ptrdiff_t>(first_); }
  auto end() { return items_.end(); }
  auto begin() const { return items_.begin() + static_cast<std::ptrdiff_t>(first_); }
  auto end() const { return items_.end(); }

  void push_back(T item) {
    make_room();
    items_.push_back(std::move(item));
  }

  void pop_front() {
    { [[maybe_unused]] const T gone = std::move(items_[first_]); }
    if (++first_ == items_.size()) clear();
  }

  void clear() {
    items_.clear();
    first_ = 0;
    if (items_.capacity() * sizeof(T) > bytes_kept) std::vector<T>().swap(items_);
  }

 private:
  static constexpr std::size_t bytes_kept = 256;

  // What has gone from the front is made use of before the block grows; each item is moved at most
  // once on average.
  void make_room() {
    if (items_.size() < items_.capacity() || first_ < size()) return;
    items_.erase(items_.begin(), begin());
    first_ = 0;
  }

  std::vector<T> items_;  // those before first_ have gone
  std::size_t first_ = 0;
};

}  // namespace soma
