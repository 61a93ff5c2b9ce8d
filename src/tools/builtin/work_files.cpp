#include "tools/builtin/work_files.hpp"

#include <sys/stat.h>
#include <time.h>

#include <algorithm>

#include "tools/builtin/text_stream.hpp"
#include "tools/sandbox/folder_walk.hpp"

namespace soma::tools {
namespace {

constexpr std::size_t path_bytes_max = 512, path_parts_max = 16, entries_max = 20'000;

}  // namespace

bool is_work_path(std::string_view path) {
  if (path.empty() || path.size() > path_bytes_max) return false;
  if (std::any_of(path.begin(), path.end(), [](unsigned char c) { return c < 32 || c == 127; }))
    return false;
  std::size_t parts = 0;
  for (std::size_t from = 0; from <= path.size();) {
    const auto end = std::min(path.find('/', from), path.size());
    const auto part = path.substr(from, end - from);
    if (part.empty() || part == "." || part == ".." || ++parts > path_parts_max) return false;
    from = end + 1;
  }
  return true;
}

std::int64_t file_clock_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

std::vector<changed_file> changed_since(const std::string& folder, std::int64_t since_ns,
                                        std::size_t files_max) {
  std::vector<changed_file> out;
  walk_folder(folder, entries_max, [&](const folder_entry& entry) {
    const auto& at = entry.info.st_ctim;
    if (S_ISREG(entry.info.st_mode) && at.tv_sec * 1'000'000'000LL + at.tv_nsec >= since_ns)
      out.push_back({valid_utf8(entry.path), static_cast<std::uint64_t>(entry.info.st_size)});
    return true;
  });
  std::sort(out.begin(), out.end(),
            [](const changed_file& a, const changed_file& b) { return a.path < b.path; });
  if (out.size() > files_max) out.resize(files_max);
  return out;
}

}  // namespace soma::tools
