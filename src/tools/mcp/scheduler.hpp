// Time and order, as the connections see them: one thread's, or a test's.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace soma::tools::mcp {

// Of one thread.
class scheduler {
 public:
  using clock = std::chrono::steady_clock;
  virtual ~scheduler() = default;
  virtual clock::time_point now() const = 0;
  // Runs `what` on the thread, not before `wait` is over. What it gives back cancels it.
  virtual std::uint64_t after(std::chrono::milliseconds wait, std::function<void()> what) = 0;
  virtual void cancel(std::uint64_t timer) = 0;
};

// A timer that its owner forgets by setting it anew or by ending. Of one thread.
class timer {
 public:
  explicit timer(scheduler& of) : of_(of) {}
  ~timer() { stop(); }
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;

  void set(std::chrono::milliseconds wait, std::function<void()> what) {
    stop();
    id_ = of_.after(wait, std::move(what));
  }
  void stop() {
    if (id_ != 0) of_.cancel(id_);
    id_ = 0;
  }

 private:
  scheduler& of_;
  std::uint64_t id_ = 0;
};

}  // namespace soma::tools::mcp
