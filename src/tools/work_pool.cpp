#include "tools/work_pool.hpp"

#include <exception>
#include <utility>

#include "core/codes.hpp"

namespace soma::tools {
namespace {

tool_outcome failed(std::string detail, bool retryable) {
  return {"error", {}, failure{std::string(codes::tool_failed), std::move(detail), retryable}};
}

// Between the handle and the work. Recursive, because being told the outcome may well end the
// handle.
struct call {
  std::recursive_mutex mutex;
  tool_sink sink;
  bool cancelled = false;

  void tell(tool_outcome outcome) {
    const std::lock_guard lock(mutex);
    if (!std::exchange(cancelled, true) && sink.on_done) sink.on_done(std::move(outcome));
  }
  bool wanted() {
    const std::lock_guard lock(mutex);
    return !cancelled;
  }
};

class handle final : public running_tool {
 public:
  explicit handle(std::shared_ptr<call> c) : call_(std::move(c)) {}
  ~handle() override {
    const std::lock_guard lock(call_->mutex);
    call_->cancelled = true;
  }

 private:
  std::shared_ptr<call> call_;
};

}  // namespace

work_pool::work_pool(unsigned threads, std::size_t waiting_max) : waiting_max_(waiting_max) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

work_pool::~work_pool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

std::unique_ptr<running_tool> work_pool::start(std::function<tool_outcome()> work, tool_sink sink) {
  auto shared = std::make_shared<call>();
  shared->sink = std::move(sink);
  auto job = [shared, work = std::move(work)] {
    if (!shared->wanted()) return;
    tool_outcome outcome;
    try {
      outcome = work();
    } catch (const std::exception&) {
      outcome = failed("the tool failed", false);
    }
    shared->tell(std::move(outcome));
  };
  bool taken = false;
  {
    const std::lock_guard lock(mutex_);
    taken = !ending_ && waiting_.size() < waiting_max_;
    if (taken) waiting_.push_back(std::move(job));
  }
  if (taken)
    changed_.notify_one();
  else
    shared->tell(failed("too many calls wait", true));
  return std::make_unique<handle>(std::move(shared));
}

void work_pool::run() {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
      if (ending_) return;
      job = std::move(waiting_.front());
      waiting_.pop_front();
    }
    job();
  }
}

}  // namespace soma::tools
