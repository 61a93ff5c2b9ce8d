// A provider on a raw socket for tests: for each connection, in order, a script is run on a thread
// of its own. Listens on a free port of 127.0.0.1; plain blocking sockets.
#pragma once

#include <openssl/ssl.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace soma::test {

class peer {
 public:
  peer(int fd, SSL_CTX* tls);
  ~peer();
  peer(const peer&) = delete;
  peer& operator=(const peer&) = delete;

  bool handshaken() const { return !failed_; }
  // One request with its body; empty when the client has gone.
  std::string read_request();
  bool write(std::string_view bytes);
  // Bytes that the kernel took before it would have blocked for `ms`, at most `bytes_max`.
  std::size_t write_until_stuck(std::string_view pattern, std::size_t bytes_max, int ms);
  // Blocks until the client has closed (true) or something was sent (false).
  bool wait_closed();
  void reset();

 private:
  long receive(char* into, std::size_t n);
  int fd_;
  SSL* ssl_ = nullptr;
  bool failed_ = false;
  std::string unread_;
};

using connection_script = std::function<void(peer&)>;

class scripted_server {
 public:
  // The last script serves all further connections.
  explicit scripted_server(std::vector<connection_script> scripts, SSL_CTX* tls = nullptr);
  ~scripted_server();

  std::uint16_t port() const { return port_; }
  std::string base_url() const;
  int connections() const;

 private:
  void accept();

  std::vector<connection_script> scripts_;
  SSL_CTX* tls_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  int accepted_ = 0;
  std::vector<std::thread> threads_;
  std::vector<int> open_;
  std::thread acceptor_;
};

}  // namespace soma::test
