// This node's part in a cluster, over the partitions that it holds: its links to the other nodes,
// what use cases and doors see of the cluster, and the socket `cluster.sock` (local_door.hpp) at
// which `soma cluster` asks.
//
// Made and ended by the main thread. Lifetime: the host outlives it, and it outlives the web
// server.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "app/cluster.hpp"
#include "cluster/partition_host.hpp"
#include "core/config.hpp"
#include "core/secret.hpp"
#include "http/net/node_client.hpp"
#include "http/net/server.hpp"
#include "http/routes/relay.hpp"
#include "node/local_door.hpp"
#include "peers/node_links.hpp"
#include "security/audit/audit_log.hpp"

namespace soma {

// Errors: config.invalid with the key that is wrong.
result<void> check_cluster(const config& settings);
// Copies cluster.server_key_file to a data folder that has no key of its own. Before the store
// opens. Errors: config.invalid, where that has another.
result<void> take_cluster_key(const config& settings);

class node_cluster {
 public:
  // Links to nobody yet. Null where cluster.node is empty: this node is alone. `host`: null where
  // this node holds no partitions. Errors: config.invalid with the key that is wrong.
  static result<std::unique_ptr<node_cluster>> open(const config& settings,
                                                    const secret_string& server_key,
                                                    security::audit_log& audit,
                                                    cluster::partition_host* host);

  app::cluster_node& seen() { return seen_; }
  // What the web server is given: its door for nodes, what signs and what takes requests there.
  http::node_door door() const;
  const std::string& relay_key() const { return relay_key_; }
  std::unique_ptr<http::owner_relay> make_relay() const;
  http::node_client_options client_options() const;

  // Links to the others, and so begins to claim; requests for what it claims wait, with those who
  // hold them, until it takes them.
  void join();
  // Once requests are served: `port` is that of the door for nodes.
  void take_requests(std::uint16_t port);
  // Gives up all that others can take. Blocks until that is done, cluster.leave_wait_ms at most.
  void leave();

 private:
  node_cluster(const config& settings, std::unique_ptr<peers::node_links> links,
               cluster::partition_host& host);

  const config& settings_;
  const std::unique_ptr<peers::node_links> links_;
  app::cluster_node seen_;
  std::string relay_key_;
  std::unique_ptr<http::tls_context> tls_;  // null: plain
  std::shared_ptr<ssl_ctx_st> client_tls_;
  std::unique_ptr<local_door> local_;
};

// Asks the running server with this data folder: "status", "drain" or "undrain"; its answer, lines.
// Error: storage.unavailable, in a sentence.
result<std::string> ask_cluster(const std::string& data_dir, const std::string& what);

}  // namespace soma
