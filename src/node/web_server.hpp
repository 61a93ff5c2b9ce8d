// The HTTP face of a node: use cases, routes, streams, and the server that runs them.
//
// Made, started and stopped by the main thread. Its end finishes what the lanes of the store and of
// files were asked for, whose answers go to the server's threads, before what these run goes; so
// the sessions, which publish to its streams, are stopped before that where they can be. Lifetime:
// what it needs outlives it.
#pragma once

#include <cstdint>
#include <memory>

#include "app/services.hpp"
#include "core/config.hpp"
#include "http/net/request_authenticator.hpp"
#include "http/net/server.hpp"
#include "http/net/static_files.hpp"
#include "http/net/tls_context.hpp"
#include "http/routes/gateway.hpp"
#include "node/backup.hpp"
#include "node/cluster.hpp"
#include "node/feeds.hpp"
#include "node/files.hpp"
#include "node/identities.hpp"
#include "node/memory.hpp"
#include "node/metrics.hpp"
#include "node/models.hpp"
#include "node/oidc.hpp"
#include "node/outgoing.hpp"
#include "node/sessions.hpp"
#include "node/store.hpp"
#include "node/tools.hpp"

namespace soma {

// Of server.trusted_proxies and server.forwarded_header. Errors: in a sentence.
result<http::trusted_proxies> trusted_proxies_of(const config& settings);

class web_server {
 public:
  struct needs {
    const config& settings;
    node_store& store;
    node_metrics& metrics;
    node_feeds& feeds;
    node_models& models;
    node_files& files;
    node_tools& tools;
    node_identities& identities;
    node_sessions& sessions;
    node_memory& memory;
    node_outgoing& outgoing;
    backup::backup_keeper& backups;
    node_oidc& oidc;
    node_cluster* cluster = nullptr;         // null: this node is alone
    const app::door_board* doors = nullptr;  // null: there are none to Kafka
  };
  // Errors: config.invalid for a certificate that cannot be used; internal, for a schema that is
  // none.
  static result<std::unique_ptr<web_server>> open(const needs& from);
  ~web_server();

  app::services& services() { return services_; }
  // Of the io threads, by their number; they run from `start` to `stop`.
  std::vector<boost::asio::io_context*> io_contexts();
  std::uint16_t port() const { return server_.port(); }
  std::uint16_t node_port() const { return server_.node_port(); }  // of the door for nodes

  // Errors: config.invalid, where the address cannot be bound.
  result<void> start();
  // Balancers learn of it from /readyz; requests are still served.
  // Takes certificates that were replaced; `now`: reads them in any case. Blocks; one thread.
  void follow_certificates(bool now = false);
  void say_stopping() { gateway_.stopping = true; }
  // Takes nothing more; requests and streams get shutdown.grace_s to end.
  void stop();

 private:
  web_server(const needs& from, http::body_schemas schemas, std::unique_ptr<http::tls_context> tls);
  void make_threads(const needs& from);

  app::store_lanes& lanes_;
  node_files& files_;
  const std::unique_ptr<http::tls_context> tls_;  // null: plain HTTP
  const http::body_schemas schemas_;
  const http::static_files page_;
  app::services services_;
  http::gateway gateway_;
  http::request_authenticator authenticator_;
  http::server server_;  // the last: what its threads run stands on the others
};

}  // namespace soma
