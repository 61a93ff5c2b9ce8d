// What one io thread owns: its context, its connections, and one timer that looks at the deadlines
// of all of them, so that a request arms no timer of its own. Touched on its thread only, but for
// the context. Private to server.cpp and connection.cpp.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <string>

#include "core/byte_budget.hpp"
#include "core/uuid.hpp"
#include "http/net/client_socket.hpp"
#include "http/net/rate_limits.hpp"
#include "http/net/server.hpp"
#include "http/net/stranger_buckets.hpp"

namespace soma::http {

using clock = std::chrono::steady_clock;

struct watched_socket
    : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  explicit watched_socket(asio::ip::tcp::socket s) : socket(std::move(s)) {}
  client_socket socket;
  clock::time_point deadline = clock::time_point::max();
  bool expired = false;  // the deadline passed and the pending operation was cancelled
  bool idle = false;     // between two requests: a graceful stop may close it
  clock::time_point idle_since{};
};

struct io_shard {
  io_shard(std::size_t i, const server_options& o, const router& r, asio::thread_pool& pool,
           std::shared_ptr<byte_budget> budget, rate_limits& rates_of_all)
      : index(i),
        options(o),
        routes(r),
        checkers(pool),
        bodies(std::move(budget)),
        rates(rates_of_all),
        context(1),
        timer(context),
        strangers(o.limits.strangers_per_s) {}

  const std::size_t index;
  const server_options& options;
  const router& routes;
  asio::thread_pool& checkers;  // large bodies are judged there
  const std::shared_ptr<byte_budget> bodies;
  rate_limits& rates;
  asio::io_context context;
  asio::steady_timer timer;
  boost::intrusive::list<watched_socket, boost::intrusive::constant_time_size<false>> sockets;
  uuid_source ids{random_u64(), random_u64()};
  std::string date;  // "Date: …\r\n", renewed by the timer
  clock::time_point now = clock::now();
  bool stopping = false;
  stranger_buckets strangers;
  std::size_t lingering = 0;  // connections that only wait for their client to close
  std::size_t refused = 0;    // of them those that were one too many

  void watch();  // starts the timer
  void stop_idle();
  void close_all();
  // Closes the connection that has been idle for longest; false where none is idle.
  bool close_longest_idle();
};

// Serves one connection to its end. Runs on the shard's thread.
asio::awaitable<void> serve_connection(io_shard& shard, asio::ip::tcp::socket socket,
                                       connection_slot slot);

// The same of another node's, which hands over what its clients ask.
asio::awaitable<void> serve_node(io_shard& shard, asio::ip::tcp::socket socket,
                                 connection_slot slot);

}  // namespace soma::http
