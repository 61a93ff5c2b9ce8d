#include "tools/sandbox/folder_size.hpp"

#include <fcntl.h>
#include <fts.h>
#include <sys/stat.h>

#include <memory>

namespace soma::tools {

folder_size measure_folder(const std::string& folder, std::size_t entries_max) {
  std::string path = folder;
  char* const roots[] = {path.data(), nullptr};
  const std::unique_ptr<FTS, decltype(&fts_close)> walk(
      fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, nullptr), &fts_close);
  folder_size out;
  if (!walk) return out;
  while (const FTSENT* entry = fts_read(walk.get())) {
    if (entry->fts_info == FTS_DP) continue;
    if (entry->fts_info != FTS_NS && entry->fts_info != FTS_ERR && entry->fts_info != FTS_DNR)
      out.bytes += static_cast<std::uint64_t>(entry->fts_statp->st_blocks) * 512;
    if (++out.entries > entries_max) break;
  }
  return out;
}

}  // namespace soma::tools
