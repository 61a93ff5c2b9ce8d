// Writing files beside the store: the store must never be the one to find the disk full, since its
// failures are fatal. Thread-safe; blocks on the disk.
#pragma once

#include <cstdint>
#include <string_view>

namespace soma::storage {

// Appends, unless fewer than `min_free_bytes` would stay free. 0, or errno: ENOSPC for that, too.
int append_keeping_free(int file, std::string_view bytes, std::uint64_t min_free_bytes);

}  // namespace soma::storage
