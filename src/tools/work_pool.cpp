#include "tools/work_pool.hpp"

#include <exception>
#include <utility>

#include "core/codes.hpp"

namespace soma::tools {
namespace {

tool_outcome failed(std::string_view code, std::string detail, bool retryable) {
  return {"error", {}, failure{std::string(code), std::move(detail), retryable}};
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

std::unique_ptr<running_tool> work_pool::start(std::function<tool_outcome()> work, tool_sink sink) {
  auto shared = std::make_shared<call>();
  shared->sink = std::move(sink);
  auto job = [shared, work = std::move(work)] {
    if (!shared->wanted()) return;
    tool_outcome outcome;
    try {
      outcome = work();
    } catch (const std::exception&) {
      outcome = failed(codes::tool_failed, "the tool failed", false);
    }
    shared->tell(std::move(outcome));
  };
  if (!workers_.post(std::move(job)))
    shared->tell(failed(codes::tool_busy, "too many calls wait", true));
  return std::make_unique<handle>(std::move(shared));
}

}  // namespace soma::tools
