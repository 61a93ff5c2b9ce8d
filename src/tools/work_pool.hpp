// A few threads for tools that only wait for the disk. Bounded: what finds the queue full is
// refused. Thread-safe; the destructor finishes what runs and forgets what waits.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "tools/tool_runner.hpp"

namespace soma::tools {

class work_pool {
 public:
  explicit work_pool(unsigned threads = 2, std::size_t waiting_max = 256);
  ~work_pool();
  work_pool(const work_pool&) = delete;

  // Runs `work` on one of the threads and tells `sink` its outcome, unless the handle is gone by
  // then. A full queue is told at once, as tool.failed.
  std::unique_ptr<running_tool> start(std::function<tool_outcome()> work, tool_sink sink);

 private:
  void run();

  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace soma::tools
