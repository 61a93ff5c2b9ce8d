// Paths of files for a work folder that hostile programs change meanwhile, and what they left
// there. Blocks on the disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace soma::tools {

struct changed_file {
  std::string path;
  std::uint64_t size_bytes = 0;
};

// Whether it names something below a folder: relative, without empty, "." or ".." parts, control
// characters or more than 16 folders, at most 512 bytes.
bool is_work_path(std::string_view path);

// The moment to give to `changed_since`: taken from the clock that file systems use.
std::int64_t file_clock_ns();

// Files whose contents or owner, mode and links changed at or after it; at most `files_max`, in the
// order of their paths. Programs cannot put this time back.
std::vector<changed_file> changed_since(const std::string& folder, std::int64_t since_ns,
                                        std::size_t files_max);

}  // namespace soma::tools
