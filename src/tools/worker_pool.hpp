// A few threads for what blocks: files, name look-ups, requests. Thread-safe. Destroying it waits
// for the work that runs; what still waits is dropped.
#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <functional>

namespace soma::tools {

class worker_pool {
 public:
  worker_pool(std::size_t threads, std::size_t waiting_max)
      : waiting_max_(waiting_max), pool_(threads) {}
  ~worker_pool();
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  // False when too much waits already. The work must not throw.
  bool post(std::function<void()> work);

 private:
  const std::size_t waiting_max_;
  std::atomic<std::size_t> waiting_{0};
  std::atomic<bool> stopping_{false};
  boost::asio::thread_pool pool_;
};

}  // namespace soma::tools
