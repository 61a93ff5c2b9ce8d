// A few threads for what blocks: files, name look-ups, requests. Thread-safe. Destroying it waits
// for the work that runs; what still waits is dropped.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace soma::tools {

class worker_pool {
 public:
  worker_pool(std::size_t threads, std::size_t waiting_max);
  ~worker_pool();
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  // False when too much waits already. The work must not throw.
  bool post(std::function<void()> work);

 private:
  void run();

  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace soma::tools
