#include "memory/recall_threads.hpp"

#include "core/codes.hpp"

namespace soma::memory {

recall_threads::recall_threads(const memories& from, std::size_t threads) : memories_(from) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

recall_threads::~recall_threads() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    wake_.notify_all();
  }
  for (auto& one : threads_) one.join();
}

void recall_threads::recall(recall_question question,
                            std::function<void(result<recall_answer>)> done) {
  {
    const std::lock_guard lock(mutex_);
    if (!stop_ && waiting_.size() < waiting_max) {
      waiting_.push_back({std::move(question), std::move(done)});
      wake_.notify_one();
      return;
    }
  }
  done(error(codes::server_busy, "much waits to be recalled already", 1));
}

void recall_threads::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    auto answer = memories_.recall(next.question);
    next.done(std::move(answer));
    next = {};
    lock.lock();
  }
}

}  // namespace soma::memory
