// Gives memory back to the system after a peak: the C library by itself keeps what was freed.
//
// keep_large_blocks_apart() once at start, before threads; look() about once a second, on a thread
// that may wait some milliseconds. Linux with glibc.
#pragma once

#include <cstddef>

namespace soma {

// Large blocks get mappings of their own, whatever was freed before, so that they go with their
// use.
void keep_large_blocks_apart();

class memory_keeper {
 public:
  // True when it gave back. What is free but kept must be much, and not growing any more.
  bool look();

 private:
  std::size_t free_before_ = 0;
};

}  // namespace soma
