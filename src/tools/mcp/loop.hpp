// The one thread of all connections to servers: timers, jobs, HTTP transfers (libcurl) and
// descriptors that are written to.
//
// Threads: `post` may be called from any thread; all else from the loop's own. Lifetime: `stop`
// ends the thread after the jobs that were posted before; what is posted later is dropped.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "tools/mcp/scheduler.hpp"

typedef void CURL;
typedef void CURLM;

namespace soma::tools::mcp {

class loop final : public scheduler {
 public:
  loop();
  ~loop() override;

  void post(std::function<void()> job);
  void stop();

  clock::time_point now() const override { return clock::now(); }
  std::uint64_t after(std::chrono::milliseconds wait, std::function<void()> what) override;
  void cancel(std::uint64_t timer) override;

  // Runs a transfer; `on_end` with libcurl's code, unless it was removed before. Neither is called
  // from inside libcurl.
  void add(CURL* transfer, std::function<void(int code)> on_end);
  void remove(CURL* transfer);

  // Called whenever `fd` takes bytes, until it is unwatched.
  void watch(int fd, std::function<void()> on_writable);
  void unwatch(int fd);

 private:
  void run();
  bool run_jobs();
  void run_timers();
  void take_ended();
  int wait_ms();
  void wait();

  CURLM* multi_;
  std::multimap<clock::time_point, std::uint64_t> order_;
  std::map<std::uint64_t, std::function<void()>> timers_;
  std::map<CURL*, std::function<void(int)>> transfers_;
  std::map<int, std::function<void()>> watched_;
  std::uint64_t last_timer_ = 0;

  std::mutex mutex_;  // of what follows
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace soma::tools::mcp
