#include "http/net/linger.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>

namespace soma::http {
namespace {

namespace sys = boost::system;
constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t dropped_bytes = 16 * 1024;  // at once

}  // namespace

asio::awaitable<void> linger(io_shard& shard, watched_socket& watched) {
  const auto& limits = shard.options.limits;
  auto& socket = watched.socket;
  sys::error_code ec;
  if (shard.lingering < limits.lingering_max) {
    ++shard.lingering;
    const auto buffer = std::make_unique_for_overwrite<char[]>(dropped_bytes);
    socket.shutdown(asio::socket_base::shutdown_send, ec);
    const auto end = clock::now() + std::chrono::milliseconds(limits.linger_total_ms);
    for (std::uint64_t drained = 0; !ec && drained < limits.linger_bytes_max;) {
      watched.expired = false;
      const auto silent = std::chrono::milliseconds(limits.linger_timeout_ms);
      watched.deadline = std::min(clock::now() + silent, end);
      const auto [failed, n] =
          co_await socket.async_read_some(asio::buffer(buffer.get(), dropped_bytes), as_tuple);
      ec = failed;
      drained += n;
      if (watched.expired) break;
    }
    --shard.lingering;
  }
  socket.close(ec);
}

}  // namespace soma::http
