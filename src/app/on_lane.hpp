// Runs work that blocks on the store on one of the lanes to it; the coroutine goes on, on its io
// thread, with what it returned. `work` owns what it uses: it may outlive a cancelled coroutine.
// `whose`: whose turn it is (lanes.hpp); nobody's in particular where it is left out. Where the
// lane is full the answer is server.busy; one that is no result is then its empty value.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <string>
#include <utility>

#include "app/lanes.hpp"
#include "core/codes.hpp"
#include "core/error.hpp"

namespace soma::app {

template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work&>> on_lane(lane& pool, std::string whose,
                                                            Work work) {
  namespace asio = boost::asio;
  using answer_type = std::invoke_result_t<Work&>;
  auto home = co_await asio::this_coro::executor;
  auto begin = [&pool, &whose, &work, home](auto handler) {
    auto kept = std::make_shared<decltype(handler)>(std::move(handler));
    const auto answer_with = [kept, home](answer_type with) {
      auto answer = std::make_shared<answer_type>(std::move(with));
      asio::post(home, [kept, answer] { std::move (*kept)(std::move(*answer)); });
    };
    if (pool.post(whose, [answer_with, work = std::move(work)]() mutable { answer_with(work()); }))
      return;
    if constexpr (std::is_constructible_v<answer_type, error>)
      answer_with(error(codes::server_busy, "much waits for the store already", 1));
    else
      answer_with(answer_type());
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(answer_type)>(
      begin, asio::use_awaitable);
}

template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work&>> on_lane(lane& pool, Work work) {
  return on_lane(pool, std::string(), std::move(work));
}

}  // namespace soma::app
