// In a cluster an operation is carried out by the node that owns what it changes (app::owner), and
// whichever was asked hands it over, after it has found out who asks and read what it is about.
// What is only read is answered from what this node has applied.
//
// - A request waits for an owner where there is none, and for the lease of a new one, up to
//   `takeover` and before anything is done about it: policy is not asked, nothing is recorded. It
//   is tried at the next owner where the last one refused it at its door, or is lost and the
//   request is known again by its key: as long as the body is still all there.
// - What was handed over once is not handed over again: a node that does not own it says so.
// - An answer says what it rests on (Soma-Position). Before the answer of a change is passed on,
//   this node has read as far: who asks here next sees it. A request that says a position waits for
//   it, up to `read`.
// - Nothing is said not to be there before this node has read what the owner had when it was asked,
//   and an owner decides by nothing older than what the node that hands over has read of documents.
// - A node that has not heard of documents for long refuses whoever it knows by a key or a cookie.
//
// Threads: an io thread uses its own client; all else is constant or counts. Lifetime: outlives the
// server that runs the routes; `in` outlives it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "app/operations.hpp"
#include "http/net/node_client.hpp"
#include "http/net/router.hpp"

namespace soma::app {
class cluster_node;
}

namespace soma::http {

struct relay_waits {
  std::chrono::milliseconds takeover{10'000}, read{2'000};
};

class owner_relay {
 public:
  // `key`: relayed_caller.hpp.
  owner_relay(const app::cluster_node& in, relay_waits waits, std::string key);
  ~owner_relay();

  // In the order of the io threads, before the server starts.
  void add_thread(asio::io_context& io, node_client_options options);
  // Keeps no connection any more: once the io threads have ended, and before their contexts go.
  void stop();

  // The handler that takes a request to its owner. `run`: what carries it out here.
  handler at_owner(const app::operation& what, handler run);
  // What another node answers to it, which is not asked again elsewhere. Errors, as answers:
  // cluster.node_unknown, cluster.timeout.
  asio::awaitable<response> at_node(request_context& ctx, std::string node);

  struct counts {
    std::uint64_t handed_over = 0, failed = 0, waited = 0;
    std::uint64_t asked = 0;  // owners, how far they have read
  };
  counts counted() const;

  struct parts;

 private:
  const std::unique_ptr<parts> parts_;
};

}  // namespace soma::http
