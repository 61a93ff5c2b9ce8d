#include "socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace soma::bench {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

unique_fd tcp_socket(int flags) {
  unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!fd) fail("socket");
  return fd;
}

bool connect_to(int fd, std::uint16_t port) {
  const auto address = loopback(port);
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

void unique_fd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

unique_fd connect_loopback(std::uint16_t port) {
  auto fd = tcp_socket(SOCK_NONBLOCK);
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const linger reset_on_close{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset_on_close, sizeof reset_on_close);
  if (!connect_to(fd.get(), port) && errno != EINPROGRESS) fail("connect");
  return fd;
}

unique_fd listen_loopback(std::uint16_t& port) {
  auto fd = tcp_socket(SOCK_NONBLOCK);
  auto address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) fail("bind");
  if (::listen(fd.get(), 4096) != 0) fail("listen");
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    fail("getsockname");
  port = ntohs(address.sin_port);
  return fd;
}

std::uint16_t free_port() {
  auto fd = tcp_socket(0);
  auto address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) fail("bind");
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    fail("getsockname");
  return ntohs(address.sin_port);
}

std::string exchange(std::uint16_t port, std::string_view request, int timeout_ms) {
  auto fd = tcp_socket(0);
  const timeval limit{timeout_ms / 1000, (timeout_ms % 1000) * 1000};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (!connect_to(fd.get(), port)) return {};
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return {};
  }
  std::string answer;
  char piece[16384];
  for (;;) {
    const auto n = ::recv(fd.get(), piece, sizeof piece, 0);
    if (n <= 0) return n == 0 ? answer : std::string{};
    answer.append(piece, static_cast<std::size_t>(n));
  }
}

}  // namespace soma::bench
