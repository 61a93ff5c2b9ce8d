/* What preload.c counts, in a file that the server and the harness map. */
#ifndef SOMA_BENCH_COUNTS_H
#define SOMA_BENCH_COUNTS_H

#include <stdint.h>

#define BENCH_COUNT_SLOTS 256

/* One thread's share, alone on its cache lines. Threads beyond the last slot share them. */
struct bench_counts {
  uint64_t allocations, bytes;
  uint64_t unused[14];
};

#endif
