// Who may wait for the disk, said by types and checked where asserts are on; with NDEBUG it costs
// nothing. Three rules, each ending the process with a sentence when it is broken:
//
// - a thread that called `this_thread_must_not_block` (io threads, the actors' workers) neither
//   reads nor writes the store or a file, nor takes a lock that is held meanwhile;
// - a `quick_mutex` is taken by any thread, so its holder does not wait for the disk either;
// - a `disk_mutex` may be held over the disk, so only threads that may block take it.
//
// What waits calls `expect_may_block` first; taking a disk_mutex does so. Thread-safe.
#pragma once

#include <mutex>
#include <shared_mutex>

namespace soma {

#ifdef NDEBUG
inline void this_thread_must_not_block() {}
inline void this_thread_may_block() {}
inline void expect_may_block(const char* /*what*/) {}
namespace detail {
inline void took_quick() {}
inline void left_quick() {}
}  // namespace detail
#else
// Until the thread's end, or until the other is called.
void this_thread_must_not_block();
void this_thread_may_block();
// `what` is about to wait; a literal, for the sentence. Aborts where it must not.
void expect_may_block(const char* what);
namespace detail {
void took_quick();
void left_quick();
}  // namespace detail
#endif

// Over memory alone.
class quick_mutex {
 public:
  void lock() {
    mutex_.lock();
    detail::took_quick();
  }
  bool try_lock() {
    if (!mutex_.try_lock()) return false;
    detail::took_quick();
    return true;
  }
  void unlock() {
    detail::left_quick();
    mutex_.unlock();
  }

 private:
  std::mutex mutex_;
};

// Over reads and writes of the disk.
class disk_mutex {
 public:
  void lock() {
    expect_may_block("a lock that is held over the disk");
    mutex_.lock();
  }
  void unlock() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class shared_disk_mutex {
 public:
  void lock() {
    expect_may_block("a lock that is held over the disk");
    mutex_.lock();
  }
  void unlock() { mutex_.unlock(); }
  void lock_shared() {
    expect_may_block("a lock that is held over the disk");
    mutex_.lock_shared();
  }
  void unlock_shared() { mutex_.unlock_shared(); }

 private:
  std::shared_mutex mutex_;
};

}  // namespace soma
