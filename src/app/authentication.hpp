// Who asks, by what a door was shown. Threads: any io thread; judged on `pool` where it is not
// known yet. Errors: those of security::authenticator, server.busy.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "app/caller.hpp"
#include "app/lanes.hpp"
#include "core/error.hpp"

namespace soma::security {
class authenticator;
}

namespace soma::app {

// Copied: it may be judged on another thread. What is empty was not brought.
struct brought_proof {
  std::string authorization, cookie;  // as the headers have them
  std::string ticket;                 // for the stream of `session`
  session_id session;
  std::string peer;  // its address: failures are counted by it
};

boost::asio::awaitable<result<caller>> authenticate(security::authenticator& identities, lane& pool,
                                                    brought_proof by);

}  // namespace soma::app
