// One TCP or TLS connection to a provider. Used on the client's io thread only.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/may_block.hpp"
#include "llm/base_url.hpp"
#include "llm/name_lookup.hpp"

namespace soma::llm {

// The last TLS session with each host, so that a new connection need not begin from nothing.
class tls_sessions {
 public:
  static constexpr std::size_t max = 256;

  void keep(const std::string& host, SSL* from);
  void offer(const std::string& host, SSL* to) const;

 private:
  struct free_session {
    void operator()(SSL_SESSION* s) const { SSL_SESSION_free(s); }
  };
  std::map<std::string, std::unique_ptr<SSL_SESSION, free_session>> kept_;
};

// The way back from threads that look up names to a client's io thread, for as long as there is
// one.
class way_home {
 public:
  explicit way_home(boost::asio::io_context& io) : io_(&io) {}
  void post(std::function<void()> what);
  void close();

 private:
  quick_mutex mutex_;
  boost::asio::io_context* io_;
};

class connection {
 public:
  struct io_result {
    boost::system::error_code ec;
    std::size_t bytes = 0;
  };
  struct open_result {
    bool ok = false;
    std::string why;  // a sentence, without the URL
  };

  // `open_count` counts the connections that exist and outlives them.
  connection(boost::asio::io_context& io, std::atomic<std::uint64_t>& open_count);
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  struct open_options {
    boost::asio::ssl::context& tls;
    tls_sessions& sessions;
    name_lookups& names;
    std::shared_ptr<way_home> home;
    std::string_view tenant;   // who wants it, for its share of look-ups
    bool public_only = false;  // addresses that are not everybody's are not connected to
  };
  // Resolves, connects and, for https, shakes hands: SNI, chain and host name are checked by the
  // verify mode of `tls`; a session kept from before is taken up. Ends when `close` is called.
  boost::asio::awaitable<open_result> open(const url_parts& url, const open_options& how);

  boost::asio::awaitable<io_result> write(std::string_view bytes);
  boost::asio::awaitable<io_result> read_some(boost::asio::mutable_buffer into);
  // Until there is something to read, also an end. At once with TLS, which may hold something back.
  boost::asio::awaitable<void> readable();

  // At once, without TLS's goodbye.
  void close();

  // Whether the peer has neither closed an idle connection nor sent what nobody asked for.
  bool quiet();

  std::string key;    // of the pool
  bool used = false;  // has carried an answer before
  std::chrono::steady_clock::time_point idle_since;

 private:
  struct look_up;
  boost::asio::awaitable<found_addresses> find(std::string host, open_options how);

  boost::asio::io_context& io_;
  std::shared_ptr<look_up> looking_;
  boost::asio::ip::tcp::socket socket_;
  std::optional<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;
  tls_sessions* sessions_ = nullptr;  // set once the peer is known to be who it should be
  std::string host_;
  std::atomic<std::uint64_t>& open_count_;
  bool closed_ = false;
};

}  // namespace soma::llm
