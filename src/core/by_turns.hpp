// What waits, in the order in which it is to be taken: of everybody in turn the first of theirs, so
// that however much waits for one, another waits for a round. Not thread-safe.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <utility>

namespace soma {

template <class T>
class by_turns {
 public:
  void push(const std::string& whose, T one) {
    auto& theirs = waiting_[whose];
    if (theirs.empty()) turns_.push_back(whose);
    theirs.push_back(std::move(one));
    ++size_;
  }

  // There is one.
  T pop() {
    const auto at = waiting_.find(turns_.front());
    T one = std::move(at->second.front());
    at->second.pop_front();
    if (at->second.empty())
      waiting_.erase(at);
    else
      turns_.push_back(turns_.front());
    turns_.pop_front();
    --size_;
    return one;
  }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

 private:
  std::map<std::string, std::deque<T>> waiting_;  // of those who have some
  std::deque<std::string> turns_;                 // of those
  std::size_t size_ = 0;
};

}  // namespace soma
