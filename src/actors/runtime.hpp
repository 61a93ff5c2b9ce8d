// The actor side of a node: makes the system and its few lasting actors, takes up unfinished work
// at start, ends everything in order. One a process.
//
// Threads: start and stop belong to the main thread and block; the handles may be used anywhere.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "actors/node.hpp"

namespace caf {
class actor_system;
}

namespace soma::actors {

struct runtime_options {
  unsigned threads = 2;
};

class runtime {
 public:
  // `node` outlives the runtime.
  runtime(node_services& node, const runtime_options& options);
  ~runtime();
  runtime(const runtime&) = delete;

  caf::actor_system& system();
  const tenant_registry_actor& tenants() const { return tenants_; }

  // Activates every session with unfinished work, limits.recovery_concurrency at a time, in the
  // background. Error: the log could not tell which.
  result<std::size_t> recover();

  // What this node owns of the sessions, or may do in them, is another since: incarnations of what
  // it lost, or owns under another claim, end. What it gained is for `recover`. Any thread; waits
  // for nothing.
  void ownership_changed();
  // Whether no incarnation of these sessions lives, and nothing that one began. Any thread; waits
  // for nothing, nor may `which`.
  bool at_rest(const std::function<bool(const session_key&)>& which) const;

  // Sessions take no more commands, model streams are cut where they are durable, and what was
  // handed to the writer is committed. False when the grace was too short.
  bool stop(std::chrono::milliseconds grace);

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
  tenant_registry_actor tenants_;
};

}  // namespace soma::actors
