// Where threads meet actors: an io thread asks an actor and its coroutine goes on with the answer.
//   result<command_outcome> r = co_await bridge.ask<command_outcome>(tenant, std::move(command));
//
// One bridge an io thread, used on that thread only. Requests and answers are CAF's own, so an
// actor that is gone answers at once. Every request has a deadline; past it the answer is dropped.
// Lifetime: the io_context has stopped before the bridge is destroyed; so has the actor system, or
// its late answers go nowhere.
#pragma once

#include <atomic>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <caf/actor_cast.hpp>
#include <caf/message.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "actors/interfaces.hpp"
#include "core/codes.hpp"
#include "core/error.hpp"

namespace caf {
class actor_system;
}

namespace soma::app {

class actor_bridge {
 public:
  // Past `waiting_max` requests that wait for an answer the next is refused with server.busy.
  actor_bridge(caf::actor_system& system, boost::asio::io_context& io, std::size_t waiting_max);
  ~actor_bridge();
  actor_bridge(const actor_bridge&) = delete;

  template <class Answer, class Handle, class Request>
  boost::asio::awaitable<result<Answer>> ask(Handle to, Request request) {
    if (waiting_.size() >= waiting_max_)
      co_return error(codes::server_busy, "too many requests wait for an answer", 1);
    auto message = caf::make_message(std::move(request));
    auto target = caf::actor_cast<caf::strong_actor_ptr>(to);
    auto begin = [this, &message, &target](auto handler) {
      send(target, std::move(message),
           std::make_unique<waiting_for<decltype(handler)>>(std::move(handler)));
    };
    caf::message answer =
        co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&,
                                             void(caf::message)>(begin, boost::asio::use_awaitable);
    if (answer.match_elements<Answer>()) co_return std::move(answer.get_mutable_as<Answer>(0));
    co_return refusal(answer);
  }

  // Any thread.
  std::size_t waiting() const { return count_.load(std::memory_order_relaxed); }

 private:
  struct waiter {
    virtual ~waiter() = default;
    virtual void complete(caf::message answer) = 0;
    std::chrono::steady_clock::time_point deadline;
  };
  template <class Handler>
  struct waiting_for : waiter {
    explicit waiting_for(Handler h) : handler(std::move(h)) {}
    void complete(caf::message answer) override { std::move(handler)(std::move(answer)); }
    Handler handler;
  };
  struct mailbox;

  void send(const caf::strong_actor_ptr& to, caf::message message, std::unique_ptr<waiter> w);
  void on_answer(std::uint64_t id, caf::message answer);
  void sweep();
  static error refusal(const caf::message& answer);

  boost::asio::io_context& io_;
  boost::asio::steady_timer timer_;
  const std::size_t waiting_max_;
  std::shared_ptr<mailbox> mailbox_;
  std::unordered_map<std::uint64_t, std::unique_ptr<waiter>> waiting_;
  std::atomic<std::size_t> count_{0};  // of waiting_, for who looks from elsewhere
  std::uint64_t next_id_ = 1;
  bool sweeping_ = false;
};

}  // namespace soma::app
