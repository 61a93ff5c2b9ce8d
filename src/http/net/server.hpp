// The HTTP/1.1 gateway: one acceptor, N io threads with a single-threaded io_context each, and a
// coroutine a connection. Connections are dealt out in turn, so two threads share the streams
// evenly.
//
// Threads: start() and stop() belong to one owner thread; context(), port() and post() may be used
// from any. Handlers and the authenticator run on io threads and must never block. Lifetime: the
// contexts exist from construction to destruction; whatever handlers refer to outlives stop().
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/loopback.hpp"
#include "http/net/body_schema.hpp"
#include "http/net/host_guard.hpp"
#include "http/net/http_probe.hpp"
#include "http/net/net_limits.hpp"
#include "http/net/router.hpp"
#include "http/net/tls_context.hpp"
#include "http/net/trusted_proxies.hpp"

namespace soma::http {

class authenticator {
 public:
  virtual ~authenticator() = default;
  // auth.required where nothing is presented, auth.invalid where it is wrong. Roles are checked by
  // the server. On routes with app::access::optional, auth.required means anonymous.
  virtual asio::awaitable<result<app::caller>> authenticate(const request_context& ctx,
                                                            app::access rule) = 0;
  // Whoever came with a proof and was not let in: auth.invalid, ticket.invalid,
  // or auth.forbidden for their role.
  virtual void refused(const request_context&, const error&) {}
  // Who asks, where another node of the cluster sent the request on; called for nothing else. Puts
  // the client's address into `ctx`. Does not block. Error: auth.invalid.
  virtual result<app::caller> relayed(request_context&) const;
  // Whether another node sent it, by the token that they share. Does not block.
  virtual bool is_of_node(const request_context&) const { return false; }
};

// The door at which other nodes of the cluster hand requests over.
struct node_door {
  std::string address;
  std::uint16_t port = 0;
  const tls_context* tls = nullptr;  // whose client authority signs nodes; null: plain
};

struct server_options {
  std::string address{loopback_address};
  std::uint16_t port = 0;  // 0: the system chooses; see server::port()
  std::size_t io_threads = 1;
  net_limits limits;
  host_guard guard;
  trusted_proxies proxies;
  http::authenticator* authenticator = nullptr;  // without one, every route with a rule answers 401
  http_probe* probe = nullptr;
  std::optional<node_door> nodes;    // none: nobody hands anything over
  const tls_context* tls = nullptr;  // null: plain HTTP
  // What comes without TLS where it is spoken: GET and HEAD are sent there, the rest is refused;
  // false: all is refused.
  bool redirects_plain = true;
  const body_schemas* schemas = nullptr;  // needed by routes with a body schema
  // A handler threw: what it threw, for the log.
  std::function<void(std::string_view request_id, std::string_view what)> on_fault;
  // Runs on each io thread when the server begins to stop: ends the streams of that thread.
  std::function<void(std::size_t io_thread)> on_stopping;
};

class server {
 public:
  server(server_options options, router routes);
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  // Binds, then starts the threads. Fails with config.invalid where the address cannot be bound.
  result<void> start();

  // Stops accepting, closes idle connections, lets running requests and streams end for
  // stop_timeout_ms, then closes the rest and joins. Blocks; idempotent.
  void stop();

  std::uint16_t port() const;
  std::uint16_t node_port() const;  // of the door for nodes
  std::size_t io_threads() const;
  asio::io_context& context(std::size_t io_thread);
  std::size_t open_connections() const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace soma::http
