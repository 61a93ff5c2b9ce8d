// A node without HTTP for the actors' tests: the in-memory log, a model that says what the test
// tells it, and waiting on what the log shows.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <caf/actor_system.hpp>
#include <caf/detail/simple_actor_clock.hpp>
#include <caf/scoped_actor.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "actors/runtime.hpp"
#include "core/codes.hpp"
#include "core/uuid.hpp"
#include "support/result_text.hpp"

namespace soma::testing {

// A model call as the node made it; the test answers through it.
struct model_call {
  llm::call asked;
  llm::stream_sink sink;
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<std::atomic<bool>> paused = std::make_shared<std::atomic<bool>>(false);
};

class scripted_models final : public actors::model_source {
 public:
  explicit scripted_models(actors::model_settings settings)
      : settings_(std::make_shared<const actors::model_settings>(std::move(settings))) {}

  std::shared_ptr<const actors::model_settings> of(const tenant_id&) const override {
    return settings_;
  }
  result<std::unique_ptr<llm::stream_handle>> start(const actors::llm_caller&, llm::call c,
                                                    llm::stream_sink sink) override {
    struct handle final : llm::stream_handle {
      std::shared_ptr<std::atomic<bool>> cancelled, paused;
      ~handle() override { *cancelled = true; }
      void pause() override { *paused = true; }
      void resume() override { *paused = false; }
    };
    auto one = std::make_shared<model_call>();
    one->asked = std::move(c);
    one->sink = std::move(sink);
    auto h = std::make_unique<handle>();
    h->cancelled = one->cancelled;
    h->paused = one->paused;
    std::lock_guard lock(mutex_);
    calls_.push_back(std::move(one));
    changed_.notify_all();
    return std::unique_ptr<llm::stream_handle>(std::move(h));
  }

  // The next call not yet taken.
  std::shared_ptr<model_call> next() {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return !calls_.empty(); }));
    auto one = calls_.front();
    calls_.pop_front();
    return one;
  }

 private:
  const std::shared_ptr<const actors::model_settings> settings_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<model_call>> calls_;
};

// What an actor does on a thread of its own.
inline bool becomes(const std::atomic<bool>& flag, bool wanted) {
  for (int i = 0; i < 20'000 && flag != wanted; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return flag == wanted;
}

// The call's handle goes with its actor.
inline bool is_cancelled(const model_call& call) {
  return becomes(*call.cancelled, true);
}

inline void finish(model_call& call, const std::string& text) {
  call.sink.on_piece(text, false);
  llm::stream_end end;
  end.finish_reason = "stop";
  call.sink.on_end(end);
}

// A server without tools.
class no_tools final : public tools::tool_runner {
 public:
  std::unique_ptr<tools::running_tool> start(const tools::tool_caller&, const body::tool_call& call,
                                             tools::tool_sink sink) override {
    sink.on_done(
        {"error",
         {},
         failure{std::string(codes::tool_unknown), "there is no tool " + call.tool_id, false}});
    return std::make_unique<tools::running_tool>();
  }
  std::shared_ptr<const std::vector<tools::offered_tool>> offered(const tenant_id&) override {
    return std::make_shared<const std::vector<tools::offered_tool>>();
  }
  bool idempotent(std::string_view, std::string_view) const override { return false; }
};

class no_pictures final : public actors::picture_source {
 public:
  void load(const actors::llm_caller&, std::vector<attachment_ref>, done then) override {
    then({});
  }
};

class no_watch final : public actors::session_list_watch {
 public:
  void session_changed(const session_key&, const storage::session_info*, event_id) override {}
};

class counting_probe final : public actors::runtime_probe {
 public:
  void session_started() override { ++started; }
  void session_ended(bool) override { ++ended; }
  void committed(std::size_t, std::size_t events, std::size_t, double) override {
    events_committed += events;
  }
  std::atomic<std::size_t> started{0}, ended{0}, events_committed{0};
};

// How a world is made otherwise.
struct world_options : actors::node_options {
  actors::model_settings model;
  memory::recaller* recaller = nullptr;
  world_options() {
    model.profile.prefill = model.rules.prefill = true;
    model.rules.model = "scripted";
  }
};

class actor_world {
 public:
  explicit actor_world(std::shared_ptr<storage::event_log> log = {},
                       const world_options& options = {})
      : models(options.model),
        log_(log ? std::move(log) : std::shared_ptr(storage::make_memory_event_log())),
        feeds_(1, feed_limits{}),
        node_({*log_, feeds_, models, pictures_, tools_, watch_, probe, options.recaller},
              options) {
    feeds_.wakers().set_waker(0, [this] {
      std::lock_guard lock(mutex_);
      changed_.notify_all();
    });
    runtime_ = std::make_unique<actors::runtime>(node_, actors::runtime_options{});
  }
  ~actor_world() { stop(); }

  // Ends the runtime; the log stays for the next world.
  void stop() {
    if (!runtime_) return;
    const bool in_time = runtime_->stop(std::chrono::seconds(20));
    CHECK((in_time || broken));
    runtime_.reset();
  }

  void recover() { REQUIRE(runtime_->recover()); }

  template <class Answer, class Request>
  Answer ask(Request request) {
    caf::scoped_actor self(runtime_->system());
    actors::tenant_actor tenant;
    self->request(runtime_->tenants(), std::chrono::seconds(20),
                  actors::tenant_request{key("").tenant})
        .receive([&](const actors::tenant_found& found) { tenant = found.tenant; },
                 [](const caf::error& e) { FAIL(caf::to_string(e)); });
    Answer answer;
    self->request(tenant, std::chrono::seconds(20), std::move(request))
        .receive([&](Answer& got) { answer = std::move(got); },
                 [&](const caf::error& e) {
                   // Asked in the moment in which it failed: the gateway makes it a 503.
                   if constexpr (std::is_constructible_v<Answer, result<command_reply>>)
                     answer = Answer(
                         result<command_reply>(error(codes::server_busy, caf::to_string(e))));
                   else
                     FAIL(caf::to_string(e));
                 });
    return answer;
  }

  static session_key key(const std::string& session) {
    return {tenant_id("tenant"), session_id(session)};
  }

  result<command_reply> command(const std::string& session, input::command what, origin who = {}) {
    actors::session_command command;
    command.key = key(session);
    command.what.who.from = std::move(who);
    command.what.what = std::move(what);
    return ask<actors::command_outcome>(std::move(command)).reply;
  }

  result<command_reply> say(const std::string& session, const std::string& text) {
    return command(session, input::message{text, {}, input::open{}});
  }

  std::vector<event> events(const std::string& session) const {
    std::vector<event> all;
    storage::read_options options;
    options.events_max = 100'000;
    options.bytes_max = SIZE_MAX;
    auto page = log_->read(key(session), options);
    if (page)
      for (const auto& e : page->events) all.push_back(decode(e.json).value());
    return all;
  }

  // Waits until the session's events satisfy `good`.
  template <class Predicate>
  std::vector<event> wait_for(const std::string& session, Predicate good) {
    const auto feed = feeds_.acquire(key(session));
    feed->attach(0);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (;;) {
      feeds_.wakers().take(0);
      feed->drain(0);
      auto all = events(session);
      if (good(all)) return all;
      std::unique_lock lock(mutex_);
      const auto woken = changed_.wait_until(
          lock,
          std::min(deadline, std::chrono::steady_clock::now() + std::chrono::milliseconds(50)));
      if (woken == std::cv_status::timeout && std::chrono::steady_clock::now() >= deadline) {
        std::string seen;
        for (const auto& e : all) seen += std::string(to_string(e.type())) + " ";
        FAIL("waited in vain; the log has: " << seen);
      }
    }
  }

  std::vector<event> wait_for_type(const std::string& session, event_type type,
                                   std::size_t count = 1) {
    return wait_for(session, [=](const std::vector<event>& all) {
      std::size_t n = 0;
      for (const auto& e : all) n += e.type() == type;
      return n >= count;
    });
  }

  // Waits until it is so.
  template <class Predicate>
  static bool becomes(Predicate good) {
    for (int i = 0; i < 20'000 && !good(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return good();
  }

  // Messages that wait for their time, each of which keeps its receiver's memory.
  std::size_t delayed_messages() {
    auto& clock = dynamic_cast<caf::detail::simple_actor_clock&>(runtime_->system().clock());
    return clock.schedule().size();
  }

  actors::node_services& node() { return node_; }
  actors::runtime& runtime() { return *runtime_; }

  scripted_models models;
  counting_probe probe;
  bool broken = false;  // it cannot stop as it should
  std::shared_ptr<storage::event_log> log() const { return log_; }

 private:
  std::shared_ptr<storage::event_log> log_;
  feed_registry feeds_;
  no_tools tools_;
  no_pictures pictures_;
  no_watch watch_;
  actors::node_services node_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<actors::runtime> runtime_;
};

template <class Body>
const Body& last_of(const std::vector<event>& all) {
  for (auto e = all.rbegin(); e != all.rend(); ++e)
    if (const auto* b = std::get_if<Body>(&e->body)) return *b;
  FAIL("no such event");
  throw std::logic_error("unreachable");
}

}  // namespace soma::testing
