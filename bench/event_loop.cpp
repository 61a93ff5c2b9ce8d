#include "event_loop.hpp"

#include <signal.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "clock.hpp"

namespace soma::bench {
namespace {

volatile sig_atomic_t interrupted = 0;

void must(int rc, const char* what) {
  if (rc < 0) throw std::system_error(errno, std::generic_category(), what);
}

epoll_event watch(std::uint32_t events, event_loop::handler& h) {
  epoll_event e{};
  e.events = events;
  e.data.ptr = &h;
  return e;
}

timespec wait_time(std::int64_t ns) {
  ns = std::clamp<std::int64_t>(ns, 0, 100 * ns_per_ms);
  return {ns / ns_per_s, ns % ns_per_s};
}

}  // namespace

event_loop::event_loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  must(epoll_.get(), "epoll_create1");
}

void event_loop::add(int fd, std::uint32_t events, handler& h) {
  auto e = watch(events, h);
  must(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &e), "epoll_ctl add");
}

void event_loop::modify(int fd, std::uint32_t events, handler& h) {
  auto e = watch(events, h);
  must(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &e), "epoll_ctl mod");
}

void event_loop::remove(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

bool event_loop::run(std::int64_t limit_ns, const tick& t) {
  const auto deadline = now_ns() + limit_ns;
  constexpr int batch = 256;
  epoll_event ready[batch];
  for (;;) {
    throw_if_interrupted();
    const auto now = now_ns();
    const auto next = t(now);
    if (next == stop) return true;
    if (now >= deadline) return false;
    const auto timeout = wait_time(std::min(next, deadline) - now);
    const int n = ::epoll_pwait2(epoll_.get(), ready, batch, &timeout, nullptr);
    if (n < 0 && errno != EINTR) must(n, "epoll_pwait2");
    for (int i = 0; i < n; ++i) static_cast<handler*>(ready[i].data.ptr)->on_ready(ready[i].events);
    if (nap_ns_ > 0 && n < batch) {
      const timespec nap = wait_time(nap_ns_);
      ::nanosleep(&nap, nullptr);
    }
  }
}

bool event_loop::run_until(std::int64_t limit_ns, const std::function<bool()>& done) {
  return run(limit_ns, [&](std::int64_t now) { return done() ? stop : now + ns_per_ms; });
}

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

void throw_if_interrupted() {
  if (interrupted) throw std::runtime_error("interrupted");
}

}  // namespace soma::bench
