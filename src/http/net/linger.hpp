// The end of a connection whose client may still be sending.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "http/net/io_shard.hpp"

namespace soma::http {

// Closing with input unread would reset the connection and could destroy the answer on its way; and
// many clients read it only after all of their body went out. So our side is shut and input is read
// and dropped for a while: until the client closes or is silent, within a time, a size and a number
// of such ends (net_limits). The socket is closed at the end. On the shard's thread.
asio::awaitable<void> linger(io_shard& shard, watched_socket& watched);

}  // namespace soma::http
