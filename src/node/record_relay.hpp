// Records of conversation.inbound that another node has to carry out, handed over to it as the
// request by HTTP that each of them is (docs/decisions/0210).
//
// `hand_over` runs on the io threads; `stop` by the main thread once they do not run any more, and
// before they are gone. Lifetime: the cluster outlives it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <vector>

#include "http/net/node_client.hpp"
#include "inbound/carry_out.hpp"
#include "node/cluster.hpp"

namespace soma {

class record_relay final : public inbound::other_nodes {
 public:
  // `io`: by caller::io_thread.
  record_relay(node_cluster& cluster, const std::vector<boost::asio::io_context*>& io);

  boost::asio::awaitable<std::optional<result<inbound::carried_out>>> hand_over(
      const app::caller& who, const inbound::inbound_message& message) override;

  void stop();

 private:
  node_cluster& cluster_;
  std::vector<std::unique_ptr<http::node_client>> clients_;
};

}  // namespace soma
