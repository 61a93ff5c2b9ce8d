// A scanner that hangs or is slow keeps only some of its callers: the others are told that it has
// not decided, and their files are looked at later. Thread-safe; blocks as the scanner does.
#pragma once

#include <chrono>
#include <memory>

#include "files/scanner.hpp"

namespace soma::files {

struct scan_guard_options {
  std::size_t at_once = 3;                     // of the threads that deal with files
  std::chrono::milliseconds for_a_place{500};  // as long as a place is waited for
  std::chrono::milliseconds slow_after{5000};  // a scan that takes longer frees no place soon
  std::chrono::milliseconds rest{30'000};      // after one that took long and decided nothing
};

std::unique_ptr<scanner> make_scan_guard(std::unique_ptr<scanner> of,
                                         scan_guard_options options = {});

}  // namespace soma::files
