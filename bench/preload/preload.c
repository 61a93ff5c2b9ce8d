/* Loaded into a server under test by LD_PRELOAD, never part of one. With BENCH_COUNTS=file it counts
 * every allocation (malloc and its kin, so operator new as well) in that file, which is mapped by the
 * harness too. With BENCH_SYNC_DELAY_US=n each fsync and fdatasync takes so much longer, as on a slow
 * disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "counts.h"

/* The C library's own names: there is nothing to look up before the first allocation. */
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

static struct bench_counts* counts;
static unsigned slots_taken;
static long sync_delay_us;
static __thread struct bench_counts* mine __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void begin(void) {
  const char* delay = getenv("BENCH_SYNC_DELAY_US");
  if (delay) sync_delay_us = atol(delay);
  const char* path = getenv("BENCH_COUNTS");
  if (!path) return;
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* at = mmap(NULL, BENCH_COUNT_SLOTS * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (at != MAP_FAILED) counts = at;
  /* Programs that the server starts are not counted. */
  unsetenv("BENCH_COUNTS");
}

static void count(size_t bytes) {
  if (!counts) return;
  if (!mine) mine = counts + __atomic_fetch_add(&slots_taken, 1, __ATOMIC_RELAXED) % BENCH_COUNT_SLOTS;
  __atomic_fetch_add(&mine->allocations, 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(&mine->bytes, bytes, __ATOMIC_RELAXED);
}

void* malloc(size_t size) {
  count(size);
  return __libc_malloc(size);
}

void* calloc(size_t n, size_t size) {
  count(n * size);
  return __libc_calloc(n, size);
}

void* realloc(void* at, size_t size) {
  if (size) count(size);
  return __libc_realloc(at, size);
}

void* memalign(size_t alignment, size_t size) {
  count(size);
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void** out, size_t alignment, size_t size) {
  if (alignment % sizeof(void*) || alignment == 0 || (alignment & (alignment - 1))) return EINVAL;
  void* at = memalign(alignment, size);
  if (!at) return ENOMEM;
  *out = at;
  return 0;
}

static void wait_for_the_disk(void) {
  if (sync_delay_us <= 0) return;
  struct timespec left = {sync_delay_us / 1000000, sync_delay_us % 1000000 * 1000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

int fsync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  wait_for_the_disk();
  return real(fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  wait_for_the_disk();
  return real(fd);
}
