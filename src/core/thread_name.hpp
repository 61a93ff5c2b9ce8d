// What a thread is called by top, perf and debuggers.
#pragma once

#include <pthread.h>

namespace soma {

// At most 15 bytes; a longer name is none.
inline void name_this_thread(const char* name) {
  (void)pthread_setname_np(pthread_self(), name);
}

}  // namespace soma
