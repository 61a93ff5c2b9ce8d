#include "peers/tls_tunnel.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <thread>

#include "core/codes.hpp"
#include "core/loopback.hpp"
#include "core/thread_name.hpp"

namespace soma::peers {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
namespace sys = boost::system;
using asio::ip::tcp;
constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);

constexpr auto begin_timeout = std::chrono::seconds(3);  // to connect and shake hands
constexpr auto accept_pause = std::chrono::milliseconds(50);
constexpr std::size_t piece_bytes = 16 * 1024;

error invalid(const std::string& key, const std::string& why) {
  return error(codes::config_invalid, key + ": " + why);
}

struct session : std::enable_shared_from_this<session> {
  session(asio::io_context& io, ssl::context& tls, std::size_t& counted)
      : outer(io, tls), inner(io), timer(io), open(counted) {
    ++open;
  }
  ~session() { --open; }

  void close() {
    sys::error_code ignored;
    outer.lowest_layer().close(ignored);
    inner.close(ignored);
    timer.cancel();
  }
  void arm() {
    timer.expires_after(begin_timeout);
    timer.async_wait([weak = weak_from_this()](sys::error_code ec) {
      if (const auto self = weak.lock(); self && !ec) self->close();
    });
  }

  ssl::stream<tcp::socket> outer;  // to the other node
  tcp::socket inner;               // to CAF here
  asio::steady_timer timer;
  std::size_t& open;
};

template <class From, class To>
asio::awaitable<void> pump(std::shared_ptr<session> s, From& from, To& to) {
  std::array<char, piece_bytes> piece;
  for (;;) {
    const auto [failed, n] = co_await from.async_read_some(asio::buffer(piece), as_tuple);
    if (failed) break;
    const auto [broken, sent] =
        co_await asio::async_write(to, asio::buffer(piece.data(), n), as_tuple);
    if (broken) break;
  }
  s->close();
}

void pump_both(asio::io_context& io, const std::shared_ptr<session>& s) {
  sys::error_code ignored;
  s->outer.lowest_layer().set_option(tcp::no_delay(true), ignored);
  s->inner.set_option(tcp::no_delay(true), ignored);
  s->timer.cancel();
  asio::co_spawn(io, pump(s, s->outer, s->inner), asio::detached);
  asio::co_spawn(io, pump(s, s->inner, s->outer), asio::detached);
}

asio::awaitable<void> let_in(asio::io_context& io, std::shared_ptr<session> s, std::uint16_t to) {
  s->arm();
  const auto [refused] = co_await s->outer.async_handshake(ssl::stream_base::server, as_tuple);
  if (refused) co_return s->close();
  const tcp::endpoint at(asio::ip::make_address(std::string(loopback_address)), to);
  const auto [failed] = co_await s->inner.async_connect(at, as_tuple);
  if (failed) co_return s->close();
  pump_both(io, s);
}

asio::awaitable<void> go_out(asio::io_context& io, std::shared_ptr<session> s, endpoint peer) {
  s->arm();
  tcp::resolver resolver(io);
  const auto port = std::to_string(peer.port);
  const auto [unknown, found] = co_await resolver.async_resolve(peer.host, port, as_tuple);
  if (unknown) co_return s->close();
  const auto [failed, at] = co_await asio::async_connect(s->outer.next_layer(), found, as_tuple);
  if (failed) co_return s->close();
  const auto [refused] = co_await s->outer.async_handshake(ssl::stream_base::client, as_tuple);
  if (refused) co_return s->close();
  pump_both(io, s);
}

class tunnel final : public tls_tunnel {
 public:
  tunnel() : tls_(ssl::context::tls), io_(1) {}

  ~tunnel() override {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

  std::uint16_t port() const override { return port_; }
  const std::vector<std::uint16_t>& ways() const override { return ways_; }

  result<void> read(const std::string& folder) {
    sys::error_code ec;
    SSL_CTX_set_min_proto_version(tls_.native_handle(), TLS1_3_VERSION);
    tls_.set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, ec);
    const auto read_one = [&](const char* name, auto take) -> result<void> {
      const auto path = folder + "/" + name;
      take(path);
      if (ec) return invalid("cluster.tls_dir", path + ": " + ec.message());
      return {};
    };
    auto good = read_one("ca.pem", [&](const auto& path) { tls_.load_verify_file(path, ec); });
    if (good)
      good = read_one("node.pem",
                      [&](const auto& path) { tls_.use_certificate_chain_file(path, ec); });
    if (good)
      good = read_one("node.key", [&](const auto& path) {
        tls_.use_private_key_file(path, ssl::context::pem, ec);
      });
    return good;
  }

  result<void> begin(const endpoint& listen, std::uint16_t to, const std::vector<endpoint>& peers) {
    auto outside = bind(listen);
    if (!outside) return outside.error();
    sys::error_code ec;
    port_ = outside->local_endpoint(ec).port();
    asio::co_spawn(io_, take_in(std::move(*outside), to), asio::detached);
    for (const auto& peer : peers) {
      auto way = bind({std::string(loopback_address), 0});
      if (!way) return way.error();
      ways_.push_back(way->local_endpoint(ec).port());
      asio::co_spawn(io_, lead_out(std::move(*way), peer), asio::detached);
    }
    thread_ = std::thread([this] {
      name_this_thread("tunnel");
      io_.run();
    });
    return {};
  }

 private:
  result<tcp::acceptor> bind(const endpoint& at) {
    tcp::acceptor made(io_);
    sys::error_code ec;
    const auto address = asio::ip::make_address(at.host, ec);
    const tcp::endpoint where(address, at.port);
    if (!ec) made.open(where.protocol(), ec);
    if (!ec) made.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) made.bind(where, ec);
    if (!ec) made.listen(64, ec);
    if (ec)
      return invalid("cluster.listen", "cannot listen on " + at.host + ":" +
                                           std::to_string(at.port) + ": " + ec.message());
    return made;
  }

  asio::awaitable<void> wait_a_moment() {
    asio::steady_timer pause(io_);
    pause.expires_after(accept_pause);
    co_await pause.async_wait(as_tuple);
  }

  asio::awaitable<void> take_in(tcp::acceptor from, std::uint16_t to) {
    for (;;) {
      auto s = std::make_shared<session>(io_, tls_, open_);
      const auto [failed] = co_await from.async_accept(s->outer.next_layer(), as_tuple);
      if (failed)
        co_await wait_a_moment();
      else if (open_ <= tunnels_max)
        asio::co_spawn(io_, let_in(io_, std::move(s), to), asio::detached);
    }
  }

  asio::awaitable<void> lead_out(tcp::acceptor from, endpoint peer) {
    for (;;) {
      auto s = std::make_shared<session>(io_, tls_, open_);
      const auto [failed] = co_await from.async_accept(s->inner, as_tuple);
      if (failed)
        co_await wait_a_moment();
      else if (open_ <= tunnels_max)
        asio::co_spawn(io_, go_out(io_, std::move(s), peer), asio::detached);
    }
  }

  std::size_t open_ = 0;  // before io_, whose end ends what counts here
  ssl::context tls_;
  asio::io_context io_;
  std::thread thread_;
  std::uint16_t port_ = 0;
  std::vector<std::uint16_t> ways_;
};

}  // namespace

result<std::unique_ptr<tls_tunnel>> tls_tunnel::open(const std::string& folder,
                                                     const endpoint& listen, std::uint16_t to,
                                                     const std::vector<endpoint>& peers) {
  auto made = std::make_unique<tunnel>();
  if (auto good = made->read(folder); !good) return good.error();
  if (auto good = made->begin(listen, to, peers); !good) return good.error();
  return std::unique_ptr<tls_tunnel>(std::move(made));
}

}  // namespace soma::peers
