// A client's connection, plain or under TLS, as its reader and its writers see it: bytes go in and
// out when the system takes them, and whoever has to waits on the socket. Plain, it is the socket
// and a null pointer.
//
// What was taken by write_some is on its way, in this order, whatever is given later; under TLS
// some of it may wait here until the system takes it: flush() says whether it has.
//
// Threads: one, its io thread. Lifetime: as a socket's; `tls_context` may go before it.
#pragma once

#include <sys/uio.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

struct ssl_ctx_st;  // SSL_CTX, of OpenSSL

namespace soma::http {

namespace asio = boost::asio;

class client_socket {
 public:
  // What write_some and read_now give where they give no count.
  static constexpr ssize_t would_block = -1, broken = -2;

  explicit client_socket(asio::ip::tcp::socket socket);
  client_socket(client_socket&&) noexcept;
  client_socket& operator=(client_socket&&) noexcept;
  ~client_socket();

  // What the client begins with, without taking it: whether that is TLS. False, too, where nothing
  // comes.
  asio::awaitable<bool> begins_with_tls();
  // Shakes hands. False where they do not come to terms: the socket is of no use then.
  asio::awaitable<bool> accept_tls(std::shared_ptr<ssl_ctx_st> with);
  // The same as the client of another server, which has to show a certificate that the authority of
  // `with` signed.
  asio::awaitable<bool> connect_tls(std::shared_ptr<ssl_ctx_st> with);
  bool is_tls() const { return tls_ != nullptr; }
  // Whether the client showed a certificate that the configured authority signed.
  bool has_certificate() const;

  // Bytes taken, more than none; or would_block, broken.
  ssize_t write_some(std::span<iovec> parts);
  // True where nothing waits here; false: wait for the socket and call it again.
  bool flush();
  // Bytes read; 0 at the end; or would_block, broken.
  ssize_t read_now(std::span<char> into);
  // Waits for bytes. 0 at the end, on an error, and where the wait was cancelled.
  asio::awaitable<std::size_t> read_some(std::span<char> into);
  // Where the socket is readable: whether the client closed, or only sends no more.
  enum class presence { there, silent, gone };
  presence look();

  // Says that nothing more comes; what waits here is lost, so it is flushed before.
  void shutdown_send();

  // Of the socket itself: waiting, options, ending.
  asio::ip::tcp::socket& socket() { return socket_; }
  bool is_open() const { return socket_.is_open(); }
  void cancel();
  void close();

 private:
  struct tls_state;
  asio::awaitable<bool> shake_hands();

  asio::ip::tcp::socket socket_;
  std::unique_ptr<tls_state> tls_;
};

}  // namespace soma::http
