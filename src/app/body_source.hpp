// A body as a door hands it on: pieces, none of them held longer than it takes to keep it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "app/lanes.hpp"
#include "core/error.hpp"

namespace soma::app {

// Used by one coroutine.
class body_source {
 public:
  virtual ~body_source() = default;
  // The next piece, valid until the next call; empty at the end. Fails with request.too_large,
  // request.timeout or request.malformed; after a failure the connection ends with the answer.
  virtual boost::asio::awaitable<result<std::string_view>> read_some() = 0;
  // The piece that is waited for, and each one after it, fails with `why`. On the thread that
  // reads.
  virtual void interrupt(error why) = 0;
};

inline constexpr std::size_t handed_on_bytes = 256 * 1024;  // at once, between two threads

// Hands a body on in pieces, on that lane, in that turn (lanes.hpp); stops at the first that is
// refused. Null: an empty body.
boost::asio::awaitable<result<void>> each_piece(lane& where, std::string whose, body_source* body,
                                                std::function<result<void>(std::string_view)> take);

}  // namespace soma::app
