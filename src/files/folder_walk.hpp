// What lies in a folder, by its handle. Private to tools. Thread-safe; blocks on the disk.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "files/work_folder.hpp"

namespace soma::files {

inline constexpr int walk_depth_max = 64;  // folders in folders; deeper ones count as full

// Without "." and "..", in no order; at most names_max + 1 of them.
std::vector<std::string> names_in(int folder, std::uint64_t names_max = UINT64_MAX - 1);

// nullopt: it is gone. Of a link: the link itself.
std::optional<work_entry> entry_of(int folder, const std::string& name);

// Opens a folder in a folder, also one that its maker closed to itself; -1 with errno.
work_handle open_inner(int folder, const std::string& name);

// False when there are more than entries_max, or they lie too deep.
bool add_usage(int folder, int depth, std::uint64_t entries_max, work_folders::usage& sum);

inline std::int64_t modified_ms(const struct stat& of) {
  return static_cast<std::int64_t>(of.st_mtim.tv_sec) * 1000 + of.st_mtim.tv_nsec / 1'000'000;
}

}  // namespace soma::files
