// What the parts of one running call share: its sink, which is told nothing after the end or once
// the handle is gone, and the sandboxed run that dies with it. Thread-safe.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/json_text.hpp"
#include "tools/sandbox/sandbox.hpp"
#include "tools/tool.hpp"

namespace soma::tools {

tool_outcome success(const boost::json::object& output);
// status "timeout" for tool.timeout, "error" otherwise.
tool_outcome failed(std::string_view code, std::string detail, bool retryable = false);
tool_outcome failed(const error& why);
tool_outcome denied(std::string detail);

// What a profile leaves to a program in the sandbox. It is asked to end somewhat before the call's
// time is over, so that what it said so far can be told.
sandbox_limits limits_of(const execution_profile& profile);

class call_state {
 public:
  explicit call_state(tool_sink sink) : sink_(std::move(sink)) {}

  void output(std::string stream, std::string text);
  void done(tool_outcome outcome);
  bool over();
  // Keeps the run as long as the call, and kills it with it.
  void keep(std::unique_ptr<sandbox_run> run);
  void cancel();

 private:
  std::recursive_mutex mutex_;  // a sink may destroy the handle
  bool open_ = true;
  tool_sink sink_;
  std::unique_ptr<sandbox_run> run_;
};

// The handle that `tool::start` gives back.
std::unique_ptr<running_tool> handle_of(std::shared_ptr<call_state> call);

}  // namespace soma::tools
