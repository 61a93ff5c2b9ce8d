// What is beyond this node and may know which memories fit a question. It only names them: what is
// told is read here, and only what the asker may see.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.hpp"

namespace soma::memory {

inline constexpr double remote_weight = 1;  // of its ranking, in the fusion

// What another may take of the time there is: half of it, so that what was found here is told in
// any case.
inline std::int64_t afar_ms(std::int64_t all_ms, std::int64_t recall_ms, std::int64_t spent_ms) {
  return std::min(all_ms - spent_ms, recall_ms) / 2;
}

struct remote_answer {
  std::vector<std::string> ids;  // of memories, the best first
  std::string why;               // it did not say all it may know, in a sentence; empty: it did
};

class remote_recall {
 public:
  virtual ~remote_recall() = default;
  // Thread-safe; blocks for `ms` at most.
  virtual remote_answer ask(const tenant_id& tenant, std::string_view query, std::size_t items_max,
                            std::int64_t ms) = 0;
};

}  // namespace soma::memory
