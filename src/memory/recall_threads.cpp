#include "memory/recall_threads.hpp"

#include <algorithm>

#include "core/codes.hpp"
#include "core/thread_name.hpp"

namespace soma::memory {
namespace {

using clock = std::chrono::steady_clock;

error busy() {
  return {codes::server_busy, "much waits to be recalled already", 1};
}

}  // namespace

recall_threads::recall_threads(const memories& from, std::size_t threads)
    : memories_(from), at_once_(std::max<std::size_t>(1, threads - 1)) {
  for (std::size_t i = 0; i < threads; ++i)
    threads_.emplace_back([this] {
      name_this_thread("memory.recall");
      run();
    });
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
    const auto tenant = question.key.tenant;
    const auto line = lines_.find(tenant);
    const auto theirs = line == lines_.end() ? 0 : line->second.waiting.size();
    if (!stop_ && waiting_ < waiting_max && theirs < waiting_max / 2) {
      const auto until = clock::now() + std::chrono::milliseconds(memories_.recall_ms());
      if (theirs == 0) turns_.push_back(tenant);
      lines_[tenant].waiting.push_back({std::move(question), std::move(done), until});
      ++waiting_;
      wake_.notify_one();
      return;
    }
  }
  done(busy());
}

std::optional<recall_threads::asked> recall_threads::next() {
  const auto at = std::find_if(turns_.begin(), turns_.end(), [this](const tenant_id& tenant) {
    return lines_[tenant].running < at_once_;
  });
  if (at == turns_.end()) return std::nullopt;
  const auto tenant = *at;
  turns_.erase(at);
  auto& line = lines_[tenant];
  auto one = std::move(line.waiting.front());
  line.waiting.pop_front();
  if (!line.waiting.empty()) turns_.push_back(tenant);
  ++line.running;
  --waiting_;
  return one;
}

void recall_threads::answer(const asked& one) const {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(one.until - clock::now()).count();
  if (left <= 0) return one.done(busy());
  one.done(memories_.recall(one.question, static_cast<int>(left)));
}

void recall_threads::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    std::optional<asked> one;
    wake_.wait(lock, [&] { return (one = next()) || (stop_ && waiting_ == 0); });
    if (!one) return;
    const auto tenant = one->question.key.tenant;
    lock.unlock();
    answer(*one);
    one.reset();
    lock.lock();
    const auto line = lines_.find(tenant);
    if (--line->second.running == 0 && line->second.waiting.empty()) lines_.erase(line);
    wake_.notify_all();  // its next may be begun, or all is done
  }
}

}  // namespace soma::memory
