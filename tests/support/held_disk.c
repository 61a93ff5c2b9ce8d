/* A disk that stands still when told so, for a real server: LD_PRELOAD=libheld_disk.so, with
 * HELD_DISK=path. While `path` exists, fsync and fdatasync wait, and each that begins to wait adds a
 * byte to `path.inside`; while `path.store` exists, those of the store alone. While `path.reads`
 * exists, the first two reads of the store's tables wait, as `path.reads.1` and `path.reads.2`; later
 * ones pass. Whoever waits goes on when the file is removed. While `path.full` exists there is no room
 * for the store; while `path.audit` exists, of each audit record half fits. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int told(const char* ending, char* path, size_t size) {
  const char* base = getenv("HELD_DISK");
  if (!base) return 0;
  snprintf(path, size, "%s%s", base, ending);
  return access(path, F_OK) == 0;
}

static void wait_while(const char* path) {
  while (access(path, F_OK) == 0) usleep(2000);
}

static void name_of(int fd, char* name, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, name, size - 1);
  name[n < 0 ? 0 : n] = '\0';
}

static void hold_sync(int fd) {
  char path[512], inside[600], name[512];
  if (!told("", path, sizeof path)) {
    if (!told(".store", path, sizeof path)) return;
    name_of(fd, name, sizeof name);
    if (!strstr(name, "/store/")) return;
  }
  snprintf(inside, sizeof inside, "%s.inside", getenv("HELD_DISK"));
  int file = open(inside, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file >= 0) {
    if (write(file, ".", 1) != 1) abort();
    close(file);
  }
  wait_while(path);
}

static void hold_read(int fd) {
  char path[512], taken[600], name[512];
  if (!told(".reads", path, sizeof path)) return;
  name_of(fd, name, sizeof name);
  if (!strstr(name, ".sst")) return;
  for (int i = 1; i <= 2; ++i) {
    snprintf(taken, sizeof taken, "%s.%d", path, i);
    int file = open(taken, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) continue;
    close(file);
    wait_while(path);
    return;
  }
}

int fsync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  hold_sync(fd);
  return real(fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  hold_sync(fd);
  return real(fd);
}

ssize_t write(int fd, const void* from, size_t size) {
  static ssize_t (*real)(int, const void*, size_t);
  if (!real) real = (ssize_t(*)(int, const void*, size_t))dlsym(RTLD_NEXT, "write");
  char path[512], name[512];
  if (told(".full", path, sizeof path)) {
    name_of(fd, name, sizeof name);
    if (strstr(name, "/store/") && !strstr(name, "/store/LOG")) return errno = ENOSPC, -1;
  }
  if (told(".audit", path, sizeof path)) {
    name_of(fd, name, sizeof name);
    static int turn; /* of the one thread that writes it: half of the line, then nothing */
    if (strstr(name, "/audit/")) {
      if (turn++ % 2 == 0) return real(fd, from, size / 2);
      return errno = ENOSPC, -1;
    }
  }
  return real(fd, from, size);
}

ssize_t pread64(int fd, void* to, size_t size, off64_t at) {
  static ssize_t (*real)(int, void*, size_t, off64_t);
  if (!real) real = (ssize_t(*)(int, void*, size_t, off64_t))dlsym(RTLD_NEXT, "pread64");
  hold_read(fd);
  return real(fd, to, size, at);
}

ssize_t pread(int fd, void* to, size_t size, off_t at) {
  return pread64(fd, to, size, at);
}
