// Sends a record's message: the use case that POST of a message is, as the user whom it names, with
// a door of its own. On the io thread `io_thread`, whose context runs it.
//
// Errors: auth.forbidden, those of app::admit and app::send_message.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <optional>
#include <string>

#include "app/caller.hpp"
#include "core/error.hpp"
#include "inbound/inbound_record.hpp"

namespace soma::app {
class services;
}

namespace soma::inbound {

struct carried_out {
  std::string session;
  bool replayed = false;  // it was done before
};

// The other nodes of a cluster: who owns what a message is about carries it out.
class other_nodes {
 public:
  virtual ~other_nodes() = default;
  // Asks the owner; none: this node is. On the io thread of `who`. Errors: what the owner says,
  // cluster.no_owner, cluster.timeout.
  virtual boost::asio::awaitable<std::optional<result<carried_out>>> hand_over(
      const app::caller& who, const inbound_message& message) = 0;
};

// `others`: null where this node is alone.
boost::asio::awaitable<result<carried_out>> carry_out(app::services& s, other_nodes* others,
                                                      inbound_message message,
                                                      std::size_t io_thread);

}  // namespace soma::inbound
