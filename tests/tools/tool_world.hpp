// Calls a tool as the runner does, and waits for its outcome.
#pragma once

#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "tools/sandbox_world.hpp"
#include "tools/tool.hpp"
#include "tools/worker_pool.hpp"

namespace soma::testing {

inline tools::worker_pool& shared_workers() {
  static tools::worker_pool one(2, 64);
  return one;
}

inline tools::tool_request request_of(const std::string& inputs_json) {
  tools::tool_request request;
  request.session = {tenant_id("one"), session_id("s")};
  request.inputs = boost::json::parse(inputs_json).as_object();
#if defined(__SANITIZE_ADDRESS__)
  request.limits.memory_bytes = 1ull << 46;  // its shadow counts
#endif
  return request;
}

class watched_call {
 public:
  watched_call(tools::tool& tool, tools::tool_request request) {
    running_ = tool.start(std::move(request), {[this](std::string stream, std::string text) {
                                                 const std::lock_guard hold(mutex_);
                                                 streams_[stream] += text;
                                                 changed_.notify_all();
                                               },
                                               [this](tools::tool_outcome outcome) {
                                                 const std::lock_guard hold(mutex_);
                                                 outcome_ = std::move(outcome);
                                                 changed_.notify_all();
                                               }});
  }
  tools::tool_outcome wait() {
    std::unique_lock hold(mutex_);
    REQUIRE(changed_.wait_for(hold, patience, [this] { return outcome_.has_value(); }));
    return *outcome_;
  }
  std::string streamed(const std::string& stream, const std::string& until = {}) {
    std::unique_lock hold(mutex_);
    REQUIRE(changed_.wait_for(hold, patience,
                              [&] { return streams_[stream].find(until) != std::string::npos; }));
    return streams_[stream];
  }
  bool done() {
    const std::lock_guard hold(mutex_);
    return outcome_.has_value();
  }
  void cancel() { running_.reset(); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::string> streams_;
  std::optional<tools::tool_outcome> outcome_;
  std::unique_ptr<tools::running_tool> running_;
};

inline tools::tool_outcome outcome(tools::tool& tool, tools::tool_request request) {
  return watched_call(tool, std::move(request)).wait();
}

inline boost::json::object output(const tools::tool_outcome& outcome) {
  INFO(outcome.status << " " << (outcome.error ? outcome.error->detail : ""));
  REQUIRE_FALSE(outcome.output_json.empty());
  return boost::json::parse(outcome.output_json).as_object();
}

inline std::string text(const boost::json::object& of, const char* name) {
  const auto* value = of.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string("(none)");
}

}  // namespace soma::testing
