#include "core/may_block.hpp"

#ifndef NDEBUG
#include <cstdio>
#include <cstdlib>

namespace soma {
namespace {

thread_local bool must_not_block = false;
thread_local int quick_locks = 0;

}  // namespace

void this_thread_must_not_block() {
  must_not_block = true;
}

void this_thread_may_block() {
  must_not_block = false;
}

void expect_may_block(const char* what) {
  if (!must_not_block && quick_locks == 0) return;
  std::fprintf(stderr, "soma: Assertion failed: %s would wait for %s\n",
               must_not_block ? "an io thread or an actor" : "the holder of a quick_mutex", what);
  std::abort();
}

void detail::took_quick() {
  ++quick_locks;
}

void detail::left_quick() {
  --quick_locks;
}

}  // namespace soma
#endif
