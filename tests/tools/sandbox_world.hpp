// Runs commands in a real sandbox and waits for their end.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "tools/sandbox/sandbox.hpp"

namespace soma::testing {

using namespace std::chrono_literals;
// Far more than anything here takes; a test that waits this long has failed.
inline constexpr auto patience = 60s;

// Looks again and again until it holds.
inline bool becomes_true(const std::function<bool()>& holds) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

// One for the whole program: making it tries it out.
inline tools::sandbox& shared_sandbox() {
  static tools::sandbox one;
  return one;
}

class watched_run {
 public:
  watched_run(tools::sandbox& box, tools::sandbox_command command) {
    run_ = box.start(std::move(command), {[this](bool errors, std::string_view bytes) {
                                            const std::lock_guard hold(mutex_);
                                            (errors ? errors_ : output_).append(bytes);
                                            changed_.notify_all();
                                          },
                                          [this](tools::sandbox_end end) {
                                            const std::lock_guard hold(mutex_);
                                            end_ = std::move(end);
                                            changed_.notify_all();
                                          }});
  }

  tools::sandbox_end wait() {
    std::unique_lock hold(mutex_);
    REQUIRE(changed_.wait_for(hold, patience, [this] { return end_.has_value(); }));
    return *end_;
  }
  // The output so far, once it holds `text`.
  std::string output_with(const std::string& text) {
    std::unique_lock hold(mutex_);
    REQUIRE(changed_.wait_for(hold, patience, [&] {
      return output_.find(text) != std::string::npos || end_.has_value();
    }));
    return output_;
  }
  std::string output() {
    const std::lock_guard hold(mutex_);
    return output_;
  }
  std::string errors() {
    const std::lock_guard hold(mutex_);
    return errors_;
  }
  bool ended() {
    const std::lock_guard hold(mutex_);
    return end_.has_value();
  }
  void cancel() { run_.reset(); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string output_, errors_;
  std::optional<tools::sandbox_end> end_;
  std::unique_ptr<tools::sandbox_run> run_;
};

inline tools::sandbox_command shell(std::string script) {
  tools::sandbox_command command;
  command.argv = {"/usr/bin/bash", "-c", std::move(script)};
  return command;
}

inline tools::sandbox_command python(std::string script) {
  tools::sandbox_command command;
  command.argv = {"/usr/bin/python3", "-B", "-c", std::move(script)};
  return command;
}

struct seen_run {
  tools::sandbox_end end;
  std::string output, errors;
};

inline seen_run run(tools::sandbox_command command, tools::sandbox& box = shared_sandbox()) {
  watched_run one(box, std::move(command));
  seen_run out;
  out.end = one.wait();
  out.output = one.output();
  out.errors = one.errors();
  return out;
}

}  // namespace soma::testing
