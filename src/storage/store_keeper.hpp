// A thread beside the store for what nobody waits for, such as giving back the space of what was
// deleted. Jobs are done one at a time, the one that is due first. Thread-safe but for `begin` and
// `end`, which the owner calls. Private to storage.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace soma::storage {

class store_keeper {
 public:
  using clock = std::chrono::steady_clock;

  ~store_keeper() { end(); }

  void begin();
  void end();  // waits for the job under way; the others are dropped
  // May be called before `begin`. Never waits for a job; past `jobs_max` waiting ones it does
  // nothing.
  void ask(clock::time_point due, std::function<void()> job);

 private:
  void run();

  static constexpr std::size_t jobs_max = 64;
  std::mutex mutex_;
  std::condition_variable wakes_;
  std::multimap<clock::time_point, std::function<void()>> jobs_;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace soma::storage
