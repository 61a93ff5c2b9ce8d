// memory_save and memory_recall over a port: what a tenant's sessions remember.
//
// Lifetime: notes and pool outlive the tools, and the tools their calls.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tools/tool.hpp"
#include "tools/work_pool.hpp"

namespace soma::tools {

// Thread-safe; blocks on the disk.
class memory_notes {
 public:
  struct note {
    std::string memory_id, text;
    double score = 0;
  };
  virtual ~memory_notes() = default;
  // Gives the note's id. Errors: quota.exceeded, those of the store.
  virtual result<std::string> save(const session_key& session, std::string_view text) = 0;
  // The best first.
  virtual result<std::vector<note>> recall(const tenant_id& tenant, std::string_view query,
                                           std::size_t limit) = 0;
};

// {text} → {memory_id}
std::unique_ptr<tool> make_memory_save(memory_notes& notes, work_pool& pool);
// {query, limit?} → {items: [{memory_id, score, text}]}
std::unique_ptr<tool> make_memory_recall(memory_notes& notes, work_pool& pool);

// Which share of the query's words a text has, whatever their case. 0 to 1.
double word_score(std::string_view query, std::string_view text);

}  // namespace soma::tools
