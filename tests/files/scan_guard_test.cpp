#include "files/scan_guard.hpp"

#include <doctest/doctest.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

using namespace soma::files;
using namespace std::chrono_literals;

namespace {

// Holds each scan until the test lets it go.
class held_scanner final : public scanner {
 public:
  scan_result scan(const std::string&) override {
    std::unique_lock lock(mutex_);
    ++begun_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    return {answer, {}};
  }
  void wait_for(int begun) {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, 20s, [&] { return begun_ >= begun; }));
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  int begun() {
    const std::lock_guard lock(mutex_);
    return begun_;
  }
  verdict answer = verdict::clean;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int begun_ = 0;
  bool open_ = false;
};

}  // namespace

TEST_CASE("scan guard: a scanner that hangs keeps no more callers than may wait for it") {
  auto owned = std::make_unique<held_scanner>();
  auto& inner = *owned;
  inner.answer = verdict::undecided;
  scan_guard_options options;
  options.at_once = 2;
  options.for_a_place = 1ms;
  options.slow_after = 0ms;
  options.rest = 1h;
  const auto guard = make_scan_guard(std::move(owned), options);
  std::vector<std::thread> held;
  for (int i = 0; i < 2; ++i) held.emplace_back([&] { guard->scan("x"); });
  inner.wait_for(2);
  for (int i = 0; i < 20; ++i) CHECK(guard->scan("x").what == verdict::undecided);
  CHECK(inner.begun() == 2);
  inner.let_go();
  for (auto& one : held) one.join();
  // It hung, so it is left alone for a while.
  CHECK(guard->scan("x").what == verdict::undecided);
  CHECK(inner.begun() == 2);
}

TEST_CASE(
    "scan guard: more files at once than places are all looked at by a scanner that answers") {
  auto owned = std::make_unique<held_scanner>();
  auto& inner = *owned;
  scan_guard_options options;
  options.at_once = 1;
  options.for_a_place = 20s;
  const auto guard = make_scan_guard(std::move(owned), options);
  std::vector<std::thread> all;
  std::mutex mutex;
  int clean = 0;
  for (int i = 0; i < 8; ++i)
    all.emplace_back([&] {
      const auto said = guard->scan("x");
      const std::lock_guard lock(mutex);
      clean += said.what == verdict::clean;
    });
  inner.wait_for(1);
  CHECK(inner.begun() == 1);
  inner.let_go();
  for (auto& one : all) one.join();
  CHECK(clean == 8);
}
