// What a node remembers: the index and its thread, what can be done with memories, and the threads
// that recall for sessions.
//
// Thread-safe once it is open. Lifetime: what it needs outlives it, and it outlives the actors.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/config.hpp"
#include "core/may_block.hpp"
#include "memory/indexer.hpp"
#include "memory/knowledge.hpp"
#include "memory/memories.hpp"
#include "memory/memory_wal.hpp"
#include "memory/recall_threads.hpp"
#include "memory/replicator.hpp"
#include "memory/upkeep.hpp"
#include "memory/vectors.hpp"
#include "node/embeddings.hpp"
#include "node/feeds.hpp"
#include "node/store.hpp"

namespace soma {

class node_memory {
 public:
  // Takes over notes of the version before. Blocks on the store, whose errors it has.
  static result<std::unique_ptr<node_memory>> open(const config& settings, node_store& store,
                                                   node_feeds& feeds, node_models& models);
  ~node_memory() { stop(); }

  // No model is asked for vectors any more, and nothing expires; before the models are closed.
  void stop() {
    upkeep_.stop();
    vectors_.stop();
  }

  memory::memories& memories() { return memories_; }
  memory::recaller& recaller() { return recaller_; }
  memory::indexer& index() { return index_; }
  // How what is said is kept.
  memory::remembering remembering() const { return remembering_; }
  // Calls `told` once rows were committed, on the thread that wrote them: it must not block. An
  // empty one: nobody any more, from the moment this returns.
  void on_rows(std::function<void()> told);
  memory::knowledge& knowledge() { return knowledge_; }
  // What others follow; null: nothing is kept for them.
  memory::memory_wal* wal() { return wal_.get(); }
  // What is followed here.
  memory::replicator& replicator() { return replicator_; }

 private:
  node_memory(const config& settings, const std::string& index, node_store& store,
              node_feeds& feeds, node_models& models);

  void tell_of_rows();

  const memory::remembering remembering_;
  quick_mutex told_mutex_;
  std::function<void()> told_;
  node_embeddings embeddings_;
  memory::vectors vectors_;
  std::unique_ptr<memory::memory_wal> wal_;  // before the index, which asks it what may be deleted
  memory::indexer index_;
  const app::session_sight sight_;
  memory::memories memories_;
  memory::knowledge knowledge_;
  memory::upkeep upkeep_;
  memory::replicator replicator_;
  memory::recall_threads recaller_;  // the last: its work uses the others
};

}  // namespace soma
