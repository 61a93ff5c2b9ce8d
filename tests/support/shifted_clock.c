// Loaded into a server (LD_PRELOAD), it shows another time of day: CLOCK_SHIFT_S seconds later, or earlier. Clocks that
// only go forward are left alone, as on machines whose time of day is wrong. Waits until a time of day are
// shifted back, so that they last as long as was meant; libfaketime does not do so for C11's cnd_timedwait, which
// Kafka's client waits with.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

// What a clock that only goes forward never shows: it began with the machine.
#define OF_DAY 1000000000

static long shift(void) {
  static long read = 0, found = 0;
  if (!read) {
    const char* text = getenv("CLOCK_SHIFT_S");
    found = text ? atol(text) : 0;
    read = 1;
  }
  return found;
}

static int of_day(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
}

int clock_gettime(clockid_t clock, struct timespec* out) {
  static int (*real)(clockid_t, struct timespec*);
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, "clock_gettime");
  const int done = real ? real(clock, out) : (int)syscall(SYS_clock_gettime, clock, out);
  if (done == 0 && of_day(clock)) out->tv_sec += shift();
  return done;
}

int gettimeofday(struct timeval* out, void* zone) {
  struct timespec now;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}

int timespec_get(struct timespec* out, int base) {
  return clock_gettime(CLOCK_REALTIME, out) == 0 ? base : 0;
}

static struct timespec true_time(const struct timespec* until) {
  struct timespec out = *until;
  if (out.tv_sec > OF_DAY) out.tv_sec -= shift();
  return out;
}

int pthread_cond_timedwait(pthread_cond_t* cond, pthread_mutex_t* mutex, const struct timespec* until) {
  static int (*real)(pthread_cond_t*, pthread_mutex_t*, const struct timespec*);
  // The first of two by this name is of another layout.
  if (!real) *(void**)&real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  const struct timespec then = true_time(until);
  return real(cond, mutex, &then);
}

int pthread_cond_clockwait(pthread_cond_t* cond, pthread_mutex_t* mutex, clockid_t clock, const struct timespec* until) {
  static int (*real)(pthread_cond_t*, pthread_mutex_t*, clockid_t, const struct timespec*);
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
  const struct timespec then = true_time(until);
  return real(cond, mutex, clock, &then);
}

int pthread_mutex_timedlock(pthread_mutex_t* mutex, const struct timespec* until) {
  static int (*real)(pthread_mutex_t*, const struct timespec*);
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, "pthread_mutex_timedlock");
  const struct timespec then = true_time(until);
  return real(mutex, &then);
}

int cnd_timedwait(cnd_t* cond, mtx_t* mutex, const struct timespec* until) {
  static int (*real)(cnd_t*, mtx_t*, const struct timespec*);
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, "cnd_timedwait");
  const struct timespec then = true_time(until);
  return real(cond, mutex, &then);
}
