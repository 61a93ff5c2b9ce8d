// A sink that keeps what it is given, for a test thread to wait on.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "llm/llm_client.hpp"

namespace soma::test {

class collector {
  struct state {
    std::mutex mutex;
    std::condition_variable changed;
    std::string text, thinking;
    int pieces = 0, ends = 0;
    std::optional<llm::stream_end> end;
  };
  template <class Member>
  Member get(Member state::*member) const {
    std::lock_guard lock(state_->mutex);
    return (*state_).*member;
  }
  std::shared_ptr<state> state_ = std::make_shared<state>();

 public:
  llm::stream_sink sink() {
    auto kept = state_;
    llm::stream_sink out;
    out.on_piece = [kept](std::string text, bool thinking) {
      std::lock_guard lock(kept->mutex);
      (thinking ? kept->thinking : kept->text) += text;
      ++kept->pieces;
      kept->changed.notify_all();
    };
    out.on_end = [kept](llm::stream_end end) {
      std::lock_guard lock(kept->mutex);
      kept->end = std::move(end);
      ++kept->ends;
      kept->changed.notify_all();
    };
    return out;
  }

  // False when `until(*this state)` has not come true in ten seconds.
  template <class Condition>
  bool wait(Condition until) {
    std::unique_lock lock(state_->mutex);
    return state_->changed.wait_for(lock, std::chrono::seconds(10), [&] { return until(*state_); });
  }
  llm::stream_end end() {
    if (!wait([](const auto& s) { return s.end.has_value(); })) return {};
    std::lock_guard lock(state_->mutex);
    return *state_->end;
  }

  std::string text() const { return get(&state::text); }
  std::string thinking() const { return get(&state::thinking); }
  int pieces() const { return get(&state::pieces); }
  int ends() const { return get(&state::ends); }
};

}  // namespace soma::test
