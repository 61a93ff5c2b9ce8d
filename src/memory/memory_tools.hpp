// memory_save, memory_recall and memory_forget: what a model does with memories, by the functions
// that the API has.
//
// Lifetime: memories and pool outlive the tools, and the tools their calls.
#pragma once

#include <memory>

#include "memory/memories.hpp"
#include "tools/tool.hpp"
#include "tools/work_pool.hpp"

namespace soma::memory {

// {text, tags?, importance?, ttl_s?} → {memory_id}; `ttl_s`: for so many seconds
std::unique_ptr<tools::tool> make_memory_save(memories& kept, tools::work_pool& pool);
// {query, limit?, kinds?} → {items: [{memory_id, score, text, kind, …}], degraded}
std::unique_ptr<tools::tool> make_memory_recall(memories& kept, tools::work_pool& pool);
// {memory_id} → {forgotten}
std::unique_ptr<tools::tool> make_memory_forget(memories& kept, tools::work_pool& pool);

}  // namespace soma::memory
