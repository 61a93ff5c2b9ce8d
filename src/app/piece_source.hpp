// What is made while it is sent: pieces, none held longer than until it is on its way. Used by one
// coroutine; whoever reads it keeps it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "core/error.hpp"

namespace soma::app {

class piece_source {
 public:
  virtual ~piece_source() = default;
  // The next bytes; empty at the end. After a failure what was read is not whole, and whoever sends
  // it cuts it off so that its reader sees that.
  virtual boost::asio::awaitable<result<std::string>> next() = 0;
};

}  // namespace soma::app
