// Walks a folder that hostile programs change meanwhile: no link is followed and no mount entered,
// whatever is renamed in between, so that nothing outside is ever seen. Blocks on the disk.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>

namespace soma::tools {

struct folder_entry {
  std::string path;  // below the folder
  struct stat info;
};

// Calls `visit` for each entry, until it says false, `entries_max` were seen, or folders are nested
// deeper than 64; false then.
bool walk_folder(const std::string& folder, std::size_t entries_max,
                 const std::function<bool(const folder_entry&)>& visit);

struct folder_size {
  std::uint64_t bytes = 0;  // on the disk
  std::size_t entries = 0;
};

// Stops counting past `entries_max`; what is nested too deep to be counted is more than that.
folder_size measure_folder(const std::string& folder, std::size_t entries_max);

}  // namespace soma::tools
