#include "http/net/linger.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>

namespace soma::http {
namespace {

constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t dropped_bytes = 16 * 1024;  // at once

}  // namespace

asio::awaitable<void> linger(io_shard& shard, watched_socket& watched) {
  const auto& limits = shard.options.limits;
  auto& socket = watched.socket;
  if (shard.lingering < limits.lingering_max) {
    ++shard.lingering;
    const auto buffer = std::make_unique_for_overwrite<char[]>(dropped_bytes);
    socket.shutdown_send();
    const auto end = clock::now() + std::chrono::milliseconds(limits.linger_total_ms);
    bool more = true;
    for (std::uint64_t drained = 0; more && drained < limits.linger_bytes_max;) {
      watched.expired = false;
      const auto silent = std::chrono::milliseconds(limits.linger_timeout_ms);
      watched.deadline = std::min(clock::now() + silent, end);
      // What comes under TLS is as good as its plain text, dropped.
      const auto [failed, n] = co_await socket.socket().async_read_some(
          asio::buffer(buffer.get(), dropped_bytes), as_tuple);
      more = !failed;
      drained += n;
      if (watched.expired) break;
    }
    --shard.lingering;
  }
  socket.close();
}

}  // namespace soma::http
