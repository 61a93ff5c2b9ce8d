#include "node/memory_keeper.hpp"

#include <malloc.h>

namespace soma {
namespace {

constexpr int mapped_from_bytes = 128 * 1024;
// Kept for the next requests.
constexpr std::size_t free_bytes_max = 48u << 20;

}  // namespace

void keep_large_blocks_apart() {
  // Without it the threshold grows with the largest block that was freed, up to 32 MiB.
  mallopt(M_MMAP_THRESHOLD, mapped_from_bytes);
}

bool memory_keeper::look() {
  const auto is_free = mallinfo2().fordblks;
  const bool settled = is_free <= free_before_;
  free_before_ = is_free;
  if (is_free <= free_bytes_max || !settled) return false;
  malloc_trim(free_bytes_max / 4);
  return true;
}

}  // namespace soma
