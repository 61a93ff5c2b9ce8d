#include "files/scan_guard.hpp"

#include <condition_variable>
#include <mutex>
#include <set>
#include <utility>

namespace soma::files {
namespace {

using clock = std::chrono::steady_clock;

class scan_guard final : public scanner {
 public:
  scan_guard(std::unique_ptr<scanner> of, scan_guard_options options)
      : of_(std::move(of)), options_(options) {}

  scan_result scan(const std::string& path) override {
    std::unique_lock lock(mutex_);
    if (clock::now() < rests_until_) return {verdict::undecided, "the scanner hung a moment ago"};
    const auto is_free = [this] { return begun_.size() < options_.at_once; };
    if (!is_free() && (clock::now() - *begun_.begin() > options_.slow_after ||
                       !freed_.wait_for(lock, options_.for_a_place, is_free)))
      return {verdict::undecided, "the scanner is busy"};
    const auto mine = begun_.insert(clock::now());
    lock.unlock();
    auto said = of_->scan(path);
    lock.lock();
    const auto now = clock::now();
    if (said.what == verdict::undecided && now - *mine > options_.slow_after)
      rests_until_ = now + options_.rest;
    begun_.erase(mine);
    lock.unlock();
    freed_.notify_one();
    return said;
  }

 private:
  const std::unique_ptr<scanner> of_;
  const scan_guard_options options_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::multiset<clock::time_point> begun_;  // of scans under way
  clock::time_point rests_until_{};
};

}  // namespace

std::unique_ptr<scanner> make_scan_guard(std::unique_ptr<scanner> of, scan_guard_options options) {
  return std::make_unique<scan_guard>(std::move(of), options);
}

}  // namespace soma::files
