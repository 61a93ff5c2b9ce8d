#include "observability/line_writer.hpp"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace soma {
namespace {

// Of a buffer that was grown by what waited, and is used again.
constexpr std::size_t kept_bytes_max = 1024 * 1024;

}  // namespace

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
  // What was given and the thread has not taken up yet, in one piece: a block for each line, made
  // by one thread and freed by another, would cost more than the copy.
  std::string text;
  std::vector<std::size_t> sizes;      // of its lines
  std::size_t bytes = 0, waiting = 0;  // with what was taken up and the sink has not
  std::uint64_t untold = 0;            // dropped, and not yet said
  std::size_t flushes = 0;             // that wait
  std::uint64_t given = 0, done = 0;   // lines
  bool writing = false, resting = false, stopping = false;

  bool is_full() const { return bytes >= how.gathered_bytes_max; }

  void rest(std::unique_lock<std::mutex>& lock) {
    if (how.gathered_for.count() == 0) return;
    resting = true;
    changed.wait_for(lock, how.gathered_for, [&] { return stopping || flushes > 0 || is_full(); });
    resting = false;
  }

  void run() {
    std::string taken;
    std::vector<std::size_t> lines;
    std::size_t next_line = 0, next_byte = 0;
    std::unique_lock lock(mutex);
    for (;;) {
      if (next_line == lines.size()) {
        rest(lock);
        changed.wait(lock, [&] { return stopping || !sizes.empty() || untold > 0; });
        if (taken.capacity() > kept_bytes_max) taken = {};
        taken.clear();
        lines.clear();
        taken.swap(text);
        lines.swap(sizes);
        next_line = next_byte = 0;
      }
      if (stopping) return;
      std::string told;
      std::string_view next;
      std::uint64_t count = 0;
      if (lines.empty()) {
        told = how.dropped_line(std::exchange(untold, 0)) + '\n';
        next = told;
      } else {
        auto size = lines[next_line + count++];
        while (next_line + count < lines.size() &&
               size + lines[next_line + count] <= how.gathered_bytes_max)
          size += lines[next_line + count++];
        next = std::string_view(taken).substr(next_byte, size);
        next_line += count;
        next_byte += size;
        bytes -= size;
        waiting -= count;
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
      done += count;
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

bool line_writer::write(std::string_view line, std::string_view in_front) {
  const auto size = in_front.size() + line.size() + 1;
  const std::lock_guard lock(state_->mutex);
  auto& s = *state_;
  if (s.bytes + size > s.how.bytes_max) {
    ++s.untold;
    s.dropped.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  // The thread waits only where there was nothing; else it comes by.
  const bool waits = s.waiting == 0 && !s.writing && !s.resting;
  s.bytes += size;
  ++s.waiting;
  ++s.given;
  s.text.append(in_front).append(line).push_back('\n');
  s.sizes.push_back(size);
  if (waits || (s.resting && s.is_full())) s.changed.notify_all();
  return true;
}

bool line_writer::flush(std::chrono::milliseconds at_most) {
  std::unique_lock lock(state_->mutex);
  ++state_->flushes;
  state_->changed.notify_all();
  const auto wanted = state_->given;
  const bool tells = state_->untold > 0 || (state_->writing && state_->waiting == 0);
  const auto is_written = [&] {
    return state_->done >= wanted && (!tells || (state_->untold == 0 && !state_->writing));
  };
  const bool done = state_->changed.wait_for(lock, at_most, is_written);
  --state_->flushes;
  return done;
}

std::size_t line_writer::waiting() const {
  const std::lock_guard lock(state_->mutex);
  return state_->waiting + (state_->writing ? 1 : 0);
}

std::size_t line_writer::waiting_bytes() const {
  const std::lock_guard lock(state_->mutex);
  return state_->bytes;
}

std::uint64_t line_writer::dropped() const {
  return state_->dropped.load(std::memory_order_relaxed);
}

}  // namespace soma
