// An HTTP server of a test on a free port of the loopback: one answer a connection, by a function
// of the request's text.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace soma::testing {

class tiny_server {
 public:
  using handler = std::function<std::string(const std::string& request)>;

  explicit tiny_server(handler answer) : answer_(std::move(answer)) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    if (bind(fd_, reinterpret_cast<sockaddr*>(&here), size) != 0 || listen(fd_, 16) != 0 ||
        getsockname(fd_, reinterpret_cast<sockaddr*>(&here), &size) != 0)
      throw std::runtime_error("no server");
    port_ = ntohs(here.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~tiny_server() {
    stopping_ = true;
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }

  std::uint16_t port() const { return port_; }
  std::vector<std::string> requests() {
    const std::lock_guard hold(mutex_);
    return requests_;
  }

 private:
  void serve() {
    for (;;) {
      const int peer = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (stopping_) {
        if (peer >= 0) close(peer);
        return;
      }
      if (peer < 0) continue;
      std::string request;
      char buffer[4096];
      while (!whole(request)) {
        const auto n = read(peer, buffer, sizeof buffer);
        if (n <= 0) break;
        request.append(buffer, static_cast<std::size_t>(n));
      }
      {
        const std::lock_guard hold(mutex_);
        requests_.push_back(request);
      }
      const auto answer = answer_(request);
      for (std::size_t at = 0; at < answer.size();) {
        const auto n = send(peer, answer.data() + at, answer.size() - at, MSG_NOSIGNAL);
        if (n <= 0) break;
        at += static_cast<std::size_t>(n);
      }
      close(peer);
    }
  }
  static bool whole(const std::string& request) {
    const auto end = request.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const auto at = request.find("Content-Length: ");
    const auto body = at < end ? std::stoul(request.substr(at + 16)) : 0;
    return request.size() >= end + 4 + body;
  }

  handler answer_;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

inline std::string http_answer(const std::string& body, const std::string& headers = {},
                               const std::string& status = "200 OK") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         headers + "\r\n" + body;
}

inline std::string redirect_to(const std::string& where, const std::string& status = "302 Found") {
  return http_answer("", "Location: " + where + "\r\n", status);
}

}  // namespace soma::testing
