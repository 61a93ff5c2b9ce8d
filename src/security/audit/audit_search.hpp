// Looks for records in the chain's folder. Blocks on the disk; thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace soma::security {

// What is empty fits everything.
struct audit_filter {
  std::string tenant;  // and, unless they are left out, the node's own records, which have none
  bool with_nodes = true;
  std::string from, to;   // as format_rfc3339 writes; `to` is not among them
  std::string who, what;  // `what` ending with '*': whatever begins so
  std::string session_id, request_id;
};

// Whether a whole line fits.
bool fits_audit(const audit_filter& wanted, std::string_view line);

struct audit_page {
  std::vector<std::string> lines;  // the newest first
  std::uint64_t next_before = 0;   // where to go on; 0: that was all
};
// Records before number `before` (0: the newest). Ends early, with where to go on, once
// `bytes_max` were looked through: segments are never begun beyond it. Errors: storage.unavailable.
result<audit_page> find_audit(const std::string& folder, const audit_filter& wanted,
                              std::uint64_t before, std::size_t limit, std::size_t bytes_max);

// The record of that number. Errors: storage.unavailable.
result<std::optional<std::string>> audit_record_at(const std::string& folder, std::uint64_t seq);

}  // namespace soma::security
