#include "tools/builtin/call.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <utility>

#include "core/codes.hpp"

namespace soma::tools {
namespace {

class handle : public running_tool {
 public:
  explicit handle(std::shared_ptr<call_state> call) : call_(std::move(call)) {}
  ~handle() override { call_->cancel(); }

 private:
  std::shared_ptr<call_state> call_;
};

}  // namespace

tool_outcome success(const boost::json::object& output) {
  return {"success", boost::json::serialize(output), std::nullopt};
}

tool_outcome failed(std::string_view code, std::string detail, bool retryable) {
  std::string status = "error";
  if (code == codes::tool_timeout) status = "timeout";
  return {std::move(status), {}, failure{std::string(code), std::move(detail), retryable}};
}

tool_outcome denied(std::string detail) {
  return {"denied", {}, failure{std::string(codes::policy_denied), std::move(detail), false}};
}

tool_outcome failed(const error& why) {
  return failed(why.code, why.detail,
                why.code == codes::server_busy || why.code == codes::tool_busy);
}

sandbox_limits limits_of(const execution_profile& profile) {
  sandbox_limits out;
  const auto spare_ms = std::min(profile.timeout_ms / 4, 900u);
  out.timeout_ms = profile.timeout_ms - spare_ms;
  out.grace_ms = spare_ms / 2;
  out.cpu_s = profile.cpu_s;
  out.memory_bytes = profile.memory_bytes;
  out.processes = profile.processes;
  out.open_files = profile.open_files;
  out.disk_bytes = profile.disk_bytes;
  out.output_bytes = profile.output_bytes;
  return out;
}

void call_state::output(std::string stream, std::string text) {
  const std::lock_guard hold(mutex_);
  if (open_ && !text.empty() && sink_.on_output)
    sink_.on_output(std::move(stream), std::move(text));
}

void call_state::done(tool_outcome outcome) {
  const std::lock_guard hold(mutex_);
  if (!std::exchange(open_, false)) return;
  if (sink_.on_done) sink_.on_done(std::move(outcome));
}

bool call_state::over() {
  const std::lock_guard hold(mutex_);
  return !open_;
}

void call_state::keep(std::unique_ptr<sandbox_run> run) {
  const std::lock_guard hold(mutex_);
  if (open_) run_.swap(run);
}

void call_state::cancel() {
  std::unique_ptr<sandbox_run> run;  // ends after the lock: its destructor waits for callbacks
  const std::lock_guard hold(mutex_);
  open_ = false;
  run_.swap(run);
}

std::unique_ptr<running_tool> handle_of(std::shared_ptr<call_state> call) {
  return std::make_unique<handle>(std::move(call));
}

}  // namespace soma::tools
