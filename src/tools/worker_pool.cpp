#include "tools/worker_pool.hpp"

#include <utility>

namespace soma::tools {

worker_pool::worker_pool(std::size_t threads, std::size_t waiting_max) : waiting_max_(waiting_max) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

worker_pool::~worker_pool() {
  {
    const std::lock_guard hold(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

bool worker_pool::post(std::function<void()> work) {
  {
    const std::lock_guard hold(mutex_);
    if (stopping_ || waiting_.size() >= waiting_max_) return false;
    waiting_.push_back(std::move(work));
  }
  changed_.notify_one();
  return true;
}

void worker_pool::run() {
  for (;;) {
    std::function<void()> work;
    {
      std::unique_lock hold(mutex_);
      changed_.wait(hold, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      work = std::move(waiting_.front());
      waiting_.pop_front();
    }
    work();
  }
}

}  // namespace soma::tools
