// Loopback TCP sockets. Nothing here can reach another machine: the address is always 127.0.0.1.
// Failures of the operating system are thrown as std::system_error: a load run that cannot open its
// connections has nothing to measure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace soma::bench {

class unique_fd {
 public:
  unique_fd() = default;
  explicit unique_fd(int fd) : fd_(fd) {}
  unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~unique_fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

// Non-blocking, TCP_NODELAY; the connect may still be under way. Closing it resets the connection,
// so that thousands of closed readers leave no TIME_WAIT entries behind.
unique_fd connect_loopback(std::uint16_t port);

// Listens on a free port, non-blocking.
unique_fd listen_loopback(std::uint16_t& port);

// A port that was free a moment ago.
std::uint16_t free_port();

// One request on a connection of its own, blocking. `request` must ask for `Connection: close`.
// Returns the whole answer, "" when the server does not listen or does not answer in time.
std::string exchange(std::uint16_t port, std::string_view request, int timeout_ms);

}  // namespace soma::bench
