#include "http/net/client_socket.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <string>

namespace soma::http {
namespace {

namespace sys = boost::system;
constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);
constexpr int tls_handshake_record = 0x16;
constexpr std::size_t record_bytes_max = 16 * 1024;  // plain bytes of one record

bool blocks() {
  return errno == EAGAIN || errno == EWOULDBLOCK;
}

// Bytes; or would_block, broken.
ssize_t send_now(int fd, std::span<iovec> parts) {
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  for (;;) {
    const ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return sent;
    if (blocks()) return client_socket::would_block;
    if (errno != EINTR) return client_socket::broken;
  }
}

ssize_t receive_now(int fd, void* into, std::size_t bytes, int flags = 0) {
  for (;;) {
    const ssize_t got = ::recv(fd, into, bytes, MSG_DONTWAIT | flags);
    if (got >= 0) return got;
    if (blocks()) return client_socket::would_block;
    if (errno != EINTR) return client_socket::broken;
  }
}

}  // namespace

// TLS writes through a BIO that takes everything: what the system does not take waits in `unsent`,
// at most a record and what a handshake says at once, since nothing is encrypted behind it.
struct client_socket::tls_state {
  explicit tls_state(int descriptor) : fd(descriptor) {}

  int fd;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl{nullptr, SSL_free};
  std::string unsent;
  bool broken = false;

  bool flush() {
    while (!unsent.empty() && !broken) {
      iovec one{unsent.data(), unsent.size()};
      const auto sent = send_now(fd, {&one, 1});
      if (sent == would_block) return false;
      if (sent == client_socket::broken) broken = true;
      if (sent > 0) unsent.erase(0, static_cast<std::size_t>(sent));
    }
    if (unsent.empty() && unsent.capacity() > 0) std::string().swap(unsent);
    return true;
  }

  // What a call of the library came to, where it gave no bytes.
  ssize_t outcome(int said) {
    switch (SSL_get_error(ssl.get(), said)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE: return would_block;
      case SSL_ERROR_ZERO_RETURN: return 0;
      default:
        ERR_clear_error();
        broken = true;
        return client_socket::broken;
    }
  }

  static tls_state& of(BIO* bio) { return *static_cast<tls_state*>(BIO_get_data(bio)); }

  static int write_bio(BIO* bio, const char* bytes, int count) {
    auto& state = of(bio);
    const auto size = static_cast<std::size_t>(count);
    std::size_t sent = 0;
    if (state.unsent.empty()) {
      iovec one{const_cast<char*>(bytes), size};
      const auto taken = send_now(state.fd, {&one, 1});
      if (taken == client_socket::broken) return -1;
      if (taken > 0) sent = static_cast<std::size_t>(taken);
    }
    state.unsent.append(bytes + sent, size - sent);
    return count;
  }

  static int read_bio(BIO* bio, char* into, int room) {
    BIO_clear_retry_flags(bio);
    const auto got = receive_now(of(bio).fd, into, static_cast<std::size_t>(room));
    if (got == would_block) BIO_set_retry_read(bio);
    return got < 0 ? -1 : static_cast<int>(got);
  }

  static long control_bio(BIO*, int what, long, void*) { return what == BIO_CTRL_FLUSH ? 1 : 0; }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* made = [] {
      auto* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "client socket");
      BIO_meth_set_write(m, write_bio);
      BIO_meth_set_read(m, read_bio);
      BIO_meth_set_ctrl(m, control_bio);
      return m;
    }();
    return made;
  }

  bool begin(SSL_CTX* with, bool as_client) {
    ssl.reset(SSL_new(with));
    auto* bio = BIO_new(method());
    if (!ssl || !bio) return BIO_free(bio), false;
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl.get(), bio, bio);
    as_client ? SSL_set_connect_state(ssl.get()) : SSL_set_accept_state(ssl.get());
    return true;
  }
};

client_socket::client_socket(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}
client_socket::client_socket(client_socket&&) noexcept = default;
client_socket& client_socket::operator=(client_socket&&) noexcept = default;
client_socket::~client_socket() = default;

asio::awaitable<bool> client_socket::begins_with_tls() {
  unsigned char first = 0;
  for (;;) {
    const auto got = receive_now(socket_.native_handle(), &first, 1, MSG_PEEK);
    if (got != would_block) co_return got == 1 && first == tls_handshake_record;
    const auto [failed] = co_await socket_.async_wait(asio::socket_base::wait_read, as_tuple);
    if (failed) co_return false;
  }
}

asio::awaitable<bool> client_socket::accept_tls(std::shared_ptr<SSL_CTX> with) {
  tls_ = std::make_unique<tls_state>(socket_.native_handle());
  if (!tls_->begin(with.get(), false)) co_return false;
  co_return co_await shake_hands();
}

asio::awaitable<bool> client_socket::connect_tls(std::shared_ptr<SSL_CTX> with) {
  tls_ = std::make_unique<tls_state>(socket_.native_handle());
  if (!tls_->begin(with.get(), true)) co_return false;
  co_return co_await shake_hands();
}

asio::awaitable<bool> client_socket::shake_hands() {
  for (;;) {
    ERR_clear_error();
    const int said = SSL_do_handshake(tls_->ssl.get());
    // An alert that says why it failed goes out, too, as far as it does.
    const bool flushed = tls_->flush();
    if (said == 1 && flushed) co_return !tls_->broken;
    if (said != 1 && tls_->outcome(said) != would_block) co_return false;
    const auto wanted = flushed ? asio::socket_base::wait_read : asio::socket_base::wait_write;
    const auto [failed] = co_await socket_.async_wait(wanted, as_tuple);
    if (failed) co_return false;
  }
}

bool client_socket::has_certificate() const {
  return tls_ && SSL_get0_peer_certificate(tls_->ssl.get()) &&
         SSL_get_verify_result(tls_->ssl.get()) == X509_V_OK;
}

ssize_t client_socket::write_some(std::span<iovec> parts) {
  if (!tls_) return send_now(socket_.native_handle(), parts);
  if (!tls_->flush()) return would_block;
  if (tls_->broken) return broken;
  // Small parts share a record; a large one goes as it is.
  std::array<char, record_bytes_max> record;
  const void* bytes = parts.empty() ? nullptr : parts[0].iov_base;
  std::size_t size = parts.empty() ? 0 : std::min(parts[0].iov_len, record_bytes_max);
  if (size < record_bytes_max && parts.size() > 1) {
    size = 0;
    for (const auto& part : parts) {
      const auto taken = std::min(part.iov_len, record.size() - size);
      std::copy_n(static_cast<const char*>(part.iov_base), taken, record.data() + size);
      size += taken;
    }
    bytes = record.data();
  }
  if (size == 0) return 0;
  ERR_clear_error();
  const int said = SSL_write(tls_->ssl.get(), bytes, static_cast<int>(size));
  if (said > 0) return said;
  const auto came_to = tls_->outcome(said);
  return came_to == 0 ? broken : came_to;
}

bool client_socket::flush() {
  return !tls_ || tls_->flush();
}

ssize_t client_socket::read_now(std::span<char> into) {
  if (!tls_) return receive_now(socket_.native_handle(), into.data(), into.size());
  if (tls_->broken) return broken;
  ERR_clear_error();
  const int said = SSL_read(tls_->ssl.get(), into.data(), static_cast<int>(into.size()));
  tls_->flush();  // what the protocol answers by itself
  return said > 0 ? said : tls_->outcome(said);
}

asio::awaitable<std::size_t> client_socket::read_some(std::span<char> into) {
  if (!tls_) {
    const auto [ec, n] =
        co_await socket_.async_read_some(asio::buffer(into.data(), into.size()), as_tuple);
    co_return ec ? 0 : n;
  }
  for (;;) {
    const auto got = read_now(into);
    if (got != would_block) co_return got > 0 ? static_cast<std::size_t>(got) : 0;
    const auto [failed] = co_await socket_.async_wait(asio::socket_base::wait_read, as_tuple);
    if (failed) co_return 0;
  }
}

client_socket::presence client_socket::look() {
  char byte = 0;
  ssize_t got = 0;
  if (!tls_) {
    got = receive_now(socket_.native_handle(), &byte, 1, MSG_PEEK);
  } else {
    ERR_clear_error();
    const int said = SSL_peek(tls_->ssl.get(), &byte, 1);
    got = said > 0 ? said : tls_->outcome(said);
  }
  if (got == would_block) return presence::silent;
  return got > 0 ? presence::there : presence::gone;
}

void client_socket::shutdown_send() {
  if (tls_ && !tls_->broken && tls_->ssl) {
    ERR_clear_error();
    SSL_shutdown(tls_->ssl.get());
    ERR_clear_error();
  }
  sys::error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
}

void client_socket::cancel() {
  sys::error_code ignored;
  socket_.cancel(ignored);
}

void client_socket::close() {
  sys::error_code ignored;
  socket_.close(ignored);
}

}  // namespace soma::http
