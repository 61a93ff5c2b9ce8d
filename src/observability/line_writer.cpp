#include "observability/line_writer.hpp"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace soma {

bool write_all(int descriptor, std::string_view bytes, std::size_t& written) {
  for (written = 0; written < bytes.size();) {
    const auto n = ::write(descriptor, bytes.data() + written, bytes.size() - written);
    if (n >= 0) {
      written += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      pollfd one{descriptor, POLLOUT, 0};
      (void)::poll(&one, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

struct line_writer::state {
  explicit state(options h) : how(std::move(h)) {}

  const options how;
  std::atomic<std::uint64_t> dropped{0};
  std::mutex mutex;  // of what follows; never held over a write
  std::condition_variable changed;
  std::deque<std::string> lines;
  std::size_t bytes = 0;
  std::uint64_t untold = 0;           // dropped, and not yet said
  std::size_t flushes = 0;            // that wait
  std::uint64_t given = 0, done = 0;  // lines
  bool writing = false, resting = false, stopping = false;

  bool is_full() const { return bytes >= how.gathered_bytes_max; }

  void rest(std::unique_lock<std::mutex>& lock) {
    if (how.gathered_for.count() == 0) return;
    resting = true;
    changed.wait_for(lock, how.gathered_for, [&] { return stopping || flushes > 0 || is_full(); });
    resting = false;
  }

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      rest(lock);
      changed.wait(lock, [&] { return stopping || !lines.empty() || untold > 0; });
      if (stopping) return;
      std::string next;
      std::uint64_t taken = 0;
      if (lines.empty()) {
        next = how.dropped_line(std::exchange(untold, 0)) + '\n';
      } else {
        next = std::move(lines.front());
        lines.pop_front();
        ++taken;
        while (!lines.empty() && next.size() + lines.front().size() <= how.gathered_bytes_max) {
          next += lines.front();
          lines.pop_front();
          ++taken;
        }
        bytes -= next.size();
      }
      writing = true;
      lock.unlock();
      bool written = how.sink(next);
      lock.lock();
      while (!written && !stopping) {
        changed.wait_for(lock, how.tried_again_after, [&] { return stopping; });
        lock.unlock();
        written = how.sink(next);
        lock.lock();
      }
      writing = false;
      done += taken;
      changed.notify_all();
    }
  }
};

line_writer::line_writer(options how) : state_(std::make_shared<state>(std::move(how))) {
  // Signals are for other threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  std::thread([s = state_] { s->run(); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

line_writer::~line_writer() {
  const std::lock_guard lock(state_->mutex);
  state_->stopping = true;
  state_->changed.notify_all();
}

bool line_writer::write(std::string line) {
  line += '\n';
  const std::lock_guard lock(state_->mutex);
  if (state_->bytes + line.size() > state_->how.bytes_max) {
    ++state_->untold;
    state_->dropped.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  // The thread waits only where there was nothing; else it comes by.
  const bool waits = state_->lines.empty() && !state_->writing && !state_->resting;
  state_->bytes += line.size();
  ++state_->given;
  state_->lines.push_back(std::move(line));
  if (waits || (state_->resting && state_->is_full())) state_->changed.notify_all();
  return true;
}

bool line_writer::flush(std::chrono::milliseconds at_most) {
  std::unique_lock lock(state_->mutex);
  ++state_->flushes;
  state_->changed.notify_all();
  const auto wanted = state_->given;
  const bool tells = state_->untold > 0 || (state_->writing && state_->lines.empty());
  const auto is_written = [&] {
    return state_->done >= wanted && (!tells || (state_->untold == 0 && !state_->writing));
  };
  const bool done = state_->changed.wait_for(lock, at_most, is_written);
  --state_->flushes;
  return done;
}

std::size_t line_writer::waiting() const {
  const std::lock_guard lock(state_->mutex);
  return state_->lines.size() + (state_->writing ? 1 : 0);
}

std::size_t line_writer::waiting_bytes() const {
  const std::lock_guard lock(state_->mutex);
  return state_->bytes;
}

std::uint64_t line_writer::dropped() const {
  return state_->dropped.load(std::memory_order_relaxed);
}

}  // namespace soma
