// How much a folder holds, for bounding what a run may add to it. Links are counted, not followed.
#pragma once

#include <cstdint>
#include <string>

namespace soma::tools {

struct folder_size {
  std::uint64_t bytes = 0;  // on the disk
  std::size_t entries = 0;
};

// Blocks on the disk. Stops counting past `entries_max`; what cannot be read counts as nothing.
folder_size measure_folder(const std::string& folder, std::size_t entries_max);

}  // namespace soma::tools
