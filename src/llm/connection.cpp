#include "llm/connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <mutex>
#include <vector>

#include "core/ip_address.hpp"

namespace soma::llm {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);

bool is_public_address(const asio::ip::address& address) {
  if (address.is_v4()) return is_public(from_v4(address.to_v4().to_uint()));
  const auto bytes = address.to_v6().to_bytes();
  ip_address plain;
  std::copy(bytes.begin(), bytes.end(), plain.begin());
  return is_public(plain);
}

}  // namespace

void tls_sessions::keep(const std::string& host, SSL* from) {
  SSL_SESSION* session = SSL_get1_session(from);
  if (!session) return;
  // Freed without a goodbye, OpenSSL would mark the session as not to be taken up again.
  SSL_set_shutdown(from, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  if (!SSL_SESSION_is_resumable(session)) return SSL_SESSION_free(session);
  if (kept_.size() >= max) kept_.clear();
  kept_[host].reset(session);
}

void tls_sessions::offer(const std::string& host, SSL* to) const {
  if (const auto at = kept_.find(host); at != kept_.end()) SSL_set_session(to, at->second.get());
}

void way_home::post(std::function<void()> what) {
  const std::lock_guard lock(mutex_);
  if (io_) asio::post(*io_, std::move(what));
}

void way_home::close() {
  const std::lock_guard lock(mutex_);
  io_ = nullptr;
}

struct connection::look_up {
  explicit look_up(asio::io_context& io) : wake(io, asio::steady_timer::time_point::max()) {}

  asio::steady_timer wake;
  std::optional<found_addresses> found;
};

connection::connection(asio::io_context& io, std::atomic<std::uint64_t>& open_count)
    : io_(io), socket_(io), open_count_(open_count) {
  ++open_count_;
}

connection::~connection() {
  close();
  --open_count_;
}

asio::awaitable<connection::open_result> connection::open(const url_parts& url,
                                                          const open_options& how) {
  open_result out;
  std::vector<tcp::endpoint> endpoints;
  boost::system::error_code ec;
  const auto literal = asio::ip::make_address(url.host, ec);
  const bool is_name = ec.failed();
  if (!is_name) {
    endpoints.emplace_back(literal, url.port);
  } else {
    auto looking = find(url.host, how);
    const auto found = co_await std::move(looking);
    if (found.failed || closed_) {
      out.why = "the provider's host name cannot be resolved: " + found.failed.message();
      co_return out;
    }
    for (const auto& address : found.all) endpoints.emplace_back(address, url.port);
  }
  if (how.public_only)
    std::erase_if(endpoints, [](const auto& e) { return !is_public_address(e.address()); });
  if (endpoints.empty()) {
    out.why =
        "the provider's address is of this machine or a private network, which is not allowed";
    co_return out;
  }
  auto [failed, endpoint] = co_await asio::async_connect(socket_, endpoints, use_tuple);
  if (failed || closed_) {
    out.why = "no connection to the provider: " + failed.message();
    co_return out;
  }
  socket_.set_option(tcp::no_delay(true), ec);
  if (url.tls) {
    tls_.emplace(socket_, how.tls);
    host_ = url.host_header;
    how.sessions.offer(host_, tls_->native_handle());
    if (is_name) SSL_set_tlsext_host_name(tls_->native_handle(), url.host.c_str());
    tls_->set_verify_callback(asio::ssl::host_name_verification(url.host), ec);
    auto [refused] = co_await tls_->async_handshake(asio::ssl::stream_base::client, use_tuple);
    if (refused) {
      out.why = "TLS with the provider failed: " + refused.message();
      co_return out;
    }
    sessions_ = &how.sessions;
  }
  out.ok = !closed_;
  co_return out;
}

asio::awaitable<found_addresses> connection::find(std::string host, open_options how) {
  const auto mine = looking_ = std::make_shared<look_up>(io_);
  how.names.find(std::string(how.tenant), host,
                 [home = how.home, weak = std::weak_ptr(mine)](const found_addresses& found) {
                   home->post([weak, found] {
                     const auto waiting = weak.lock();
                     if (!waiting) return;
                     waiting->found = found;
                     waiting->wake.cancel();
                   });
                 });
  while (!mine->found && !closed_) {
    auto [ignored] = co_await mine->wake.async_wait(use_tuple);
    (void)ignored;
  }
  looking_.reset();
  if (mine->found) co_return std::move(*mine->found);
  co_return found_addresses{asio::error::operation_aborted, {}};
}

asio::awaitable<connection::io_result> connection::write(std::string_view bytes) {
  const auto buffer = asio::buffer(bytes);
  io_result out;
  if (tls_) {
    auto [ec, n] = co_await asio::async_write(*tls_, buffer, use_tuple);
    out.ec = ec;
  } else {
    auto [ec, n] = co_await asio::async_write(socket_, buffer, use_tuple);
    out.ec = ec;
  }
  co_return out;
}

asio::awaitable<connection::io_result> connection::read_some(asio::mutable_buffer into) {
  io_result out;
  if (tls_) {
    auto [ec, n] = co_await tls_->async_read_some(into, use_tuple);
    out.ec = ec;
    out.bytes = n;
  } else {
    auto [ec, n] = co_await socket_.async_read_some(into, use_tuple);
    out.ec = ec;
    out.bytes = n;
  }
  co_return out;
}

asio::awaitable<void> connection::readable() {
  if (tls_) co_return;
  auto [ignored] = co_await socket_.async_wait(tcp::socket::wait_read, use_tuple);
  (void)ignored;
}

void connection::close() {
  if (closed_) return;
  closed_ = true;
  if (tls_ && sessions_) sessions_->keep(host_, tls_->native_handle());
  if (looking_) looking_->wake.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

bool connection::quiet() {
  if (closed_) return false;
  char byte = 0;
  const auto n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
  return n > 0 && tls_.has_value();  // session tickets come unasked
}

}  // namespace soma::llm
