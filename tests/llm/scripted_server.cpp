#include "llm/scripted_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace soma::test {

peer::peer(int fd, SSL_CTX* tls) : fd_(fd) {
  if (!tls) return;
  ssl_ = SSL_new(tls);
  SSL_set_fd(ssl_, fd_);
  failed_ = SSL_accept(ssl_) != 1;
}

peer::~peer() {
  SSL_free(ssl_);
  if (fd_ >= 0) ::close(fd_);
}

long peer::receive(char* into, std::size_t n) {
  return ssl_ ? SSL_read(ssl_, into, static_cast<int>(n)) : ::recv(fd_, into, n, 0);
}

std::string peer::read_request() {
  std::array<char, 4096> buffer;
  while (!failed_) {
    const auto head = unread_.find("\r\n\r\n");
    if (head != unread_.npos) {
      const auto length = unread_.find("Content-Length: ");
      const auto body =
          length < head ? std::strtoul(unread_.c_str() + length + 16, nullptr, 10) : 0;
      if (unread_.size() >= head + 4 + body) {
        auto request = unread_.substr(0, head + 4 + body);
        unread_.erase(0, request.size());
        return request;
      }
    }
    const auto n = receive(buffer.data(), buffer.size());
    if (n <= 0) return {};
    unread_.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return {};
}

bool peer::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ssl_ ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                        : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::size_t peer::write_until_stuck(std::string_view pattern, std::size_t bytes_max, int ms) {
  std::size_t sent = 0;
  std::string_view rest = pattern;
  while (sent < bytes_max) {
    pollfd waiting{fd_, POLLOUT, 0};
    if (::poll(&waiting, 1, ms) <= 0) break;
    const auto n = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n <= 0) break;
    sent += static_cast<std::size_t>(n);
    rest.remove_prefix(static_cast<std::size_t>(n));
    if (rest.empty()) rest = pattern;
  }
  if (sent < bytes_max) return sent;
  return bytes_max;
}

bool peer::wait_closed() {
  char byte = 0;
  return receive(&byte, 1) <= 0;
}

void peer::reset() {
  const linger hard{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  ::close(fd_);
  fd_ = -1;
}

scripted_server::scripted_server(std::vector<connection_script> scripts, SSL_CTX* tls)
    : scripts_(std::move(scripts)), tls_(tls) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::listen(listener_, 64);
  socklen_t size = sizeof address;
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept(); });
}

scripted_server::~scripted_server() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  {
    std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  for (auto& thread : threads_) thread.join();
}

std::string scripted_server::base_url() const {
  return std::string(tls_ ? "https" : "http") + "://localhost:" + std::to_string(port_) + "/v1";
}

int scripted_server::connections() const {
  std::lock_guard lock(mutex_);
  return accepted_;
}

void scripted_server::accept() {
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    std::lock_guard lock(mutex_);
    const auto script = scripts_[std::min<std::size_t>(accepted_++, scripts_.size() - 1)];
    open_.push_back(fd);
    threads_.emplace_back([this, fd, script] {
      peer client(fd, tls_);
      if (client.handshaken()) script(client);
      std::lock_guard lock_again(mutex_);
      std::erase(open_, fd);
    });
  }
}

}  // namespace soma::test
