// Connections kept open between calls, newest first. Used on the client's io thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <string_view>

#include "llm/connection.hpp"

namespace soma::llm {

class connection_pool {
 public:
  connection_pool(boost::asio::io_context& io, std::size_t idle_max, std::uint32_t idle_ms);

  // A connection to scheme, host and port (`key`) that looked alive just now; or none.
  std::unique_ptr<connection> take(std::string_view key);

  // Past `idle_max` the one unused the longest is closed.
  void put(std::unique_ptr<connection> c);

  // For good: what is put afterwards is not kept.
  void close();

 private:
  void drop_old();
  void watch();

  boost::asio::steady_timer timer_;
  std::size_t idle_max_;
  std::chrono::milliseconds idle_;
  std::deque<std::unique_ptr<connection>> kept_;  // oldest first
  bool watching_ = false;
};

}  // namespace soma::llm
