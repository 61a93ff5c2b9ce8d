// What a tenant's sessions remember, as a port: short texts, saved one by one and found by words.
//
// Thread-safe; blocks on the disk.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"

namespace soma::memory {

struct note {
  std::string id, text;
  double score = 0;  // of the search that found it, 0 to 1
};

class notes {
 public:
  virtual ~notes() = default;
  // Gives the note's id. Errors: quota.exceeded, those of the store.
  virtual result<std::string> save(const session_key& session, std::string_view text) = 0;
  // The best first.
  virtual result<std::vector<note>> recall(const tenant_id& tenant, std::string_view query,
                                           std::size_t limit) = 0;
};

}  // namespace soma::memory
