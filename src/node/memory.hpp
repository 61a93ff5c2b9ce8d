// What a node remembers: the index and its thread, what can be done with memories, and the threads
// that recall for sessions.
//
// Thread-safe once it is open. Lifetime: what it needs outlives it, and it outlives the actors.
#pragma once

#include <memory>

#include "core/config.hpp"
#include "memory/indexer.hpp"
#include "memory/memories.hpp"
#include "memory/recall_threads.hpp"
#include "node/feeds.hpp"
#include "node/store.hpp"

namespace soma {

class node_memory {
 public:
  // Takes over notes of the version before. Blocks on the store, whose errors it has.
  static result<std::unique_ptr<node_memory>> open(const config& settings, node_store& store,
                                                   node_feeds& feeds);

  memory::memories& memories() { return memories_; }
  memory::recaller& recaller() { return recaller_; }
  memory::indexer& index() { return index_; }

 private:
  node_memory(const config& settings, node_store& store, node_feeds& feeds);

  memory::indexer index_;
  memory::memories memories_;
  memory::recall_threads recaller_;  // the last: its work uses the others
};

}  // namespace soma
