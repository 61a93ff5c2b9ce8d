// Runs a blocking read of the store on the reader pool; the coroutine goes on, on its io thread,
// with what it returned. `work` owns what it uses: it may outlive a cancelled coroutine.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <utility>

#include "http/reader_pool.hpp"

namespace soma::http {

template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work&>> on_reader(reader_pool& pool, Work work) {
  namespace asio = boost::asio;
  using answer_type = std::invoke_result_t<Work&>;
  auto home = co_await asio::this_coro::executor;
  auto begin = [&pool, &work, home](auto handler) {
    auto kept = std::make_shared<decltype(handler)>(std::move(handler));
    pool.post([kept, home, work = std::move(work)]() mutable {
      auto answer = std::make_shared<answer_type>(work());
      asio::post(home, [kept, answer] { std::move (*kept)(std::move(*answer)); });
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(answer_type)>(
      begin, asio::use_awaitable);
}

}  // namespace soma::http
