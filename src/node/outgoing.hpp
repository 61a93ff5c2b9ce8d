// What leaves a node: dead letters and, where SomaBrain is set up, its client, the relay to it and
// the look for what it never acknowledged;
// and what other sites follow, and are followed in.
//
// Thread-safe once it is open. Lifetime: store and memory outlive it. Its end waits for calls under
// way, which end within a second.
#pragma once

#include <memory>
#include <optional>

#include "app/outgoing.hpp"
#include "core/config.hpp"
#include "memory/memory_sync.hpp"
#include "memory/somabrain.hpp"
#include "memory/somabrain_feedback.hpp"
#include "memory/somabrain_recall.hpp"
#include "memory/somabrain_sink.hpp"
#include "memory/somabrain_watch.hpp"
#include "node/memory.hpp"
#include "node/store.hpp"
#include "outbox/dead_letters.hpp"
#include "outbox/http_client.hpp"
#include "outbox/relay.hpp"
#include "security/pii/egress_guard.hpp"

namespace soma {

// Errors: in a sentence, for a SOMA_BASE_URL that is none. Empty: SomaBrain is not set up.
result<std::string> somabrain_url(const config& settings);

class node_outgoing {
 public:
  // Blocks on the store, whose errors it has.
  static result<std::unique_ptr<node_outgoing>> open(const config& settings, node_store& store,
                                                     node_memory& memory,
                                                     security::pii::egress_guard& guard);
  ~node_outgoing();

  app::outgoing& services() { return services_; }

 private:
  struct brain {
    brain(const config& settings, const std::string& url, node_store& store, node_memory& memory,
          outbox::dead_letters& given_up, security::pii::egress_guard& guard);
    outbox::http_client http;
    memory::somabrain client;
    memory::somabrain_feedback ratings;
    memory::somabrain_sink sink;
    outbox::relay relay;
    memory::memory_sync sync;
    memory::somabrain_watch watch;
    // Shared with recalls that are under way.
    std::shared_ptr<memory::somabrain_recall> recall;
  };
  node_outgoing(node_store& store, node_memory& memory);

  node_memory& memory_;
  outbox::dead_letters dead_letters_;
  std::optional<brain> brain_;
  app::outgoing services_;
};

}  // namespace soma
