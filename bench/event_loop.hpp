// One epoll, one thread: the whole load runs here, so that the harness costs at most one core and
// counters need no locks. Level-triggered.
//
// A handler must outlive its registration and may not be destroyed inside a callback of `run`.
#pragma once

#include <cstdint>
#include <functional>

#include "socket.hpp"

namespace soma::bench {

class event_loop {
 public:
  struct handler {
    virtual ~handler() = default;
    virtual void on_ready(std::uint32_t epoll_events) = 0;
  };

  // Called after every batch of events with the time; returns when it wants to be called again at
  // the latest (ns), or `stop`.
  using tick = std::function<std::int64_t(std::int64_t now)>;
  static constexpr std::int64_t stop = -1;

  event_loop();

  void add(int fd, std::uint32_t epoll_events, handler& h);
  void modify(int fd, std::uint32_t epoll_events, handler& h);
  void remove(int fd);  // before the descriptor is closed

  // Looks for events at most once in so many ns while few are ready; 0: at once, the default.
  // Without it each event a server writes wakes the harness, and the server pays for that.
  void set_nap(std::int64_t ns) { nap_ns_ = ns; }

  // Dispatches until `t` returns `stop` (true) or `limit_ns` have passed (false). Throws
  // std::runtime_error after SIGINT or SIGTERM, see catch_signals.
  bool run(std::int64_t limit_ns, const tick& t);

  // Runs until `done()` or the limit, looking every millisecond.
  bool run_until(std::int64_t limit_ns, const std::function<bool()>& done);

 private:
  unique_fd epoll_;
  std::int64_t nap_ns_ = 0;
};

// Makes SIGINT and SIGTERM end the current `run` by an exception, so that servers are stopped and
// folders removed on the way out. Once, from main.
void catch_signals();

// Throws if one of the signals has come. For waits outside a loop.
void throw_if_interrupted();

}  // namespace soma::bench
