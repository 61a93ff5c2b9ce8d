// The folder that holds the audit's chain: segments, each a file of whole lines that is named by
// the number of its first record, and the checkpoint of what was removed. Whole segments go, the
// oldest first, so that what is left still is a chain, from the checkpoint on.
//
// Who reads may do so while another writes: what a segment has is never changed, and a line that is
// not whole is not there yet. Blocks on the disk; thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "security/audit/audit_head.hpp"

namespace soma::security {

struct audit_segment {
  std::uint64_t first = 0;
  std::string path;
};

// The oldest first.
std::vector<audit_segment> audit_segments(const std::string& folder);
std::string audit_segment_path(const std::string& folder, std::uint64_t first);

// None where nothing was removed yet. Errors: storage.corrupt.
result<std::optional<audit_head>> audit_checkpoint(const std::string& folder);
// Whole or not at all, and synced. False, with errno: it is not written.
bool keep_audit_checkpoint(const std::string& folder, const audit_head& what);

// A file of it: whole or not at all, and synced. False, with errno: it is not written.
bool keep_audit_file(const std::string& folder, const std::string& path, std::string_view text);

// Opens a file that the audit is read from. -1, with errno.
int open_audit_to_read(const std::string& path);

// Reads a file from its beginning and gives its lines, without their ends, until `take` says false;
// gives what stands behind the last end of a line. Errors: storage.unavailable.
result<std::string> each_audit_line(const std::string& path,
                                    const std::function<bool(std::string_view)>& take);

// The whole of one, at most `bytes_max`. Errors: storage.unavailable.
result<std::string> audit_text(const std::string& path, std::size_t bytes_max);

// Makes names in it durable. False, with errno.
bool sync_audit_folder(const std::string& folder);

}  // namespace soma::security
