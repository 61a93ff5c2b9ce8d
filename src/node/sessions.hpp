// The sessions of a node: its actors, and what they stand on.
//
// Lifetime: what it needs outlives it; made and stopped by the main thread, used by any.
#pragma once

#include <chrono>
#include <cstddef>

#include "actors/node.hpp"
#include "actors/runtime.hpp"
#include "core/config.hpp"

namespace soma {

class node_sessions {
 public:
  node_sessions(const config& settings, const actors::node_ports& ports);

  actors::node_services& node() { return node_; }
  actors::runtime& runtime() { return runtime_; }

  // Takes unfinished work up again, in the background; of how many sessions. Errors: those of the
  // store.
  result<std::size_t> recover() { return runtime_.recover(); }
  // False where shutdown.grace_s was too short for all to end.
  bool stop() { return runtime_.stop(grace_); }

 private:
  const std::chrono::seconds grace_;
  actors::node_services node_;
  actors::runtime runtime_;
};

}  // namespace soma
