// memory_save and memory_recall: what a model does with notes.
//
// Lifetime: notes and pool outlive the tools, and the tools their calls.
#pragma once

#include <memory>

#include "memory/notes.hpp"
#include "tools/tool.hpp"
#include "tools/work_pool.hpp"

namespace soma::memory {

// {text} → {memory_id}
std::unique_ptr<tools::tool> make_memory_save(notes& kept, tools::work_pool& pool);
// {query, limit?} → {items: [{memory_id, score, text}]}
std::unique_ptr<tools::tool> make_memory_recall(notes& kept, tools::work_pool& pool);

}  // namespace soma::memory
