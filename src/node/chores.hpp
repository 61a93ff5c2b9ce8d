// The small things that a node does about once a second while it serves.
//
// For the main thread, which may wait for the disk. Lifetime: what it needs outlives it.
#pragma once

#include <chrono>
#include <optional>

#include "cluster/partition_host.hpp"
#include "node/identities.hpp"
#include "node/models.hpp"
#include "node/signals.hpp"
#include "node/store.hpp"
#include "node/tools.hpp"
#include "node/web_server.hpp"

namespace soma {

class chores {
 public:
  struct needs {
    web_server& web;
    node_store& store;
    node_identities& identities;
    node_models& models;
    node_tools& tools;
  };
  explicit chores(const needs& from) : on_(from) {}

  // Does them until one of the signals that end the process comes, or so long at most.
  void run(const signals& from, std::optional<std::chrono::seconds> at_most = std::nullopt);

 private:
  void take_up_files();
  void try_store();
  void follow_documents();

  const needs on_;
  cluster::log_offset documents_next_ = 0;
};

}  // namespace soma
