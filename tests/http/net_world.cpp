#include "http/net_world.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <doctest/doctest.h>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "core/chunked.hpp"
#include "core/codes.hpp"
#include "http/net/ascii.hpp"
#include "http/net/problem.hpp"

namespace soma::http {

raw_client::raw_client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
  const timeval deadline{5, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof deadline);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
}

raw_client::~raw_client() {
  ::close(fd_);
}

bool raw_client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void raw_client::shutdown_send() {
  ::shutdown(fd_, SHUT_WR);
}

bool raw_client::fill() {
  char piece[16384];
  const auto n = ::recv(fd_, piece, sizeof piece, 0);
  if (n > 0) {
    buffer_.append(piece, static_cast<std::size_t>(n));
    return true;
  }
  (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? timed_out_ : closed_) = true;
  return false;
}

std::string raw_client::read_response(bool head_only) {
  std::size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
    if (!fill()) return std::exchange(buffer_, {});
  std::size_t size = end + 4;
  const auto head = buffer_.substr(0, size);
  const auto length = header_of(head, "Content-Length");
  const auto status = status_of_text(head);
  if (!head_only && status != 204 && status != 304) {
    if (!length.empty()) {
      size += std::stoul(length);
    } else if (!header_of(head, "Transfer-Encoding").empty()) {
      while ((end = buffer_.find("0\r\n\r\n", size)) == std::string::npos)
        if (!fill()) return std::exchange(buffer_, {});
      size = end + 5;
    }
  }
  while (buffer_.size() < size)
    if (!fill()) return std::exchange(buffer_, {});
  auto text = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return text;
}

std::string raw_client::read_all() {
  while (fill()) {
  }
  return std::exchange(buffer_, {});
}

int status_of_text(std::string_view response) {
  int status = 0;
  if (response.size() > 12 && response.starts_with("HTTP/1.1 "))
    std::from_chars(response.data() + 9, response.data() + 12, status);
  return status;
}

std::string header_of(std::string_view response, std::string_view name) {
  auto head = response.substr(0, response.find("\r\n\r\n"));
  while (!head.empty()) {
    const auto end = head.find("\r\n");
    const auto line = head.substr(0, end);
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && iequals(line.substr(0, colon), name))
      return std::string(trim(line.substr(colon + 1)));
    if (end == std::string_view::npos) break;
    head.remove_prefix(end + 2);
  }
  return {};
}

std::string body_of(std::string_view response) {
  const auto end = response.find("\r\n\r\n");
  return end == std::string_view::npos ? std::string() : std::string(response.substr(end + 4));
}

std::string code_of(std::string_view response) {
  constexpr std::string_view key = "\"code\":\"";
  const auto at = response.find(key);
  if (at == std::string_view::npos) return {};
  const auto begin = at + key.size();
  return std::string(response.substr(begin, response.find('"', begin) - begin));
}

std::size_t count_responses(std::string_view bytes) {
  std::size_t count = 0;
  // A status line, not a sentence of a problem that speaks of HTTP/1.1.
  for (std::size_t at = 0; (at = bytes.find("HTTP/1.1 ", at)) != std::string_view::npos; at += 9)
    if (status_of_text(bytes.substr(at)) != 0) ++count;
  return count;
}

net_limits short_limits() {
  net_limits l;
  l.header_timeout_ms = 150;
  l.body_timeout_ms = 150;
  l.idle_timeout_ms = 150;
  l.write_timeout_ms = 150;
  l.linger_timeout_ms = 100;
  l.stop_timeout_ms = 500;
  return l;
}

namespace {

void add_test_routes(router& routes) {
  using ctx_ref = request_context&;
  using answer = asio::awaitable<response>;
  const auto text = [](int status, std::string body) {
    response r(status, std::move(body));
    r.content_type = "text/plain";
    return r;
  };
  routes.add({verb::get, "/ping", "ping", [=](ctx_ref) -> answer { co_return text(200, "pong"); },
              app::access::anyone});
  routes.add({verb::post, "/echo", "echo",
              [=](ctx_ref ctx) -> answer { co_return text(200, std::string(ctx.body)); },
              app::access::anyone, body_mode::whole, 1000});
  routes.add({verb::post, "/count", "count",
              [=](ctx_ref ctx) -> answer {
                std::size_t total = 0;
                while (ctx.stream) {
                  auto piece = co_await ctx.stream->read_some();
                  if (!piece) co_return problem(piece.error(), ctx);
                  if (piece->empty()) break;
                  total += piece->size();
                }
                co_return text(200, std::to_string(total));
              },
              app::access::anyone, body_mode::streamed, 4 * 1024 * 1024});
  routes.add({verb::get, "/export", "export",
              [](ctx_ref) -> answer {
                response r;
                r.produce = [](response_stream& out) -> asio::awaitable<bool> {
                  for (const char* piece : {"one\n", "two\n", "three\n"})
                    if (!co_await out.write(piece)) co_return false;
                  co_return true;
                };
                co_return r;
              },
              app::access::anyone});
  routes.add({verb::get, "/large", "large",
              [=](ctx_ref) -> answer { co_return text(200, std::string(32 << 20, 'x')); },
              app::access::anyone});
  routes.add({verb::get, "/items/{id}", "get_item",
              [=](ctx_ref ctx) -> answer {
                co_return text(200, "item " + std::string(ctx.path_parameter("id")));
              },
              app::access::anyone});
  routes.add({verb::get, "/items/@me", "get_mine",
              [=](ctx_ref) -> answer { co_return text(200, "mine"); }, app::access::anyone});
  routes.add({verb::get, "/query", "query",
              [=](ctx_ref ctx) -> answer {
                query_reader q(ctx);
                const auto after = q.take("after");
                if (auto bad = q.rest()) co_return problem(*bad, ctx);
                co_return text(200, std::string(after.value_or("none")));
              },
              app::access::anyone});
  routes.add({verb::get, "/stream", "stream",
              [](ctx_ref) -> answer {
                response r;
                r.content_type = "text/event-stream";
                r.takeover = [](taken_socket&& taken) {
                  const auto bytes =
                      taken.head + (taken.chunked ? as_chunks("data: 1\n\n") : "data: 1\n\n");
                  boost::system::error_code ignored;
                  asio::write(taken.socket.socket(), asio::buffer(bytes), ignored);
                };
                co_return r;
              },
              app::access::anyone});
  routes.add({verb::get, "/boom", "boom",
              [](ctx_ref) -> answer {
                throw std::runtime_error("a secret of the handler");
                co_return response();
              },
              app::access::anyone});
  routes.add({verb::get, "/secret", "secret",
              [=](ctx_ref) -> answer { co_return text(200, "told"); }, app::access::user});
  routes.add({verb::get, "/trace", "trace",
              [=](ctx_ref ctx) -> answer { co_return text(200, std::string(ctx.trace_id())); },
              app::access::anyone});
  routes.add({verb::get, "/late", "late",
              [=](ctx_ref) -> answer {
                asio::steady_timer timer(co_await asio::this_coro::executor);
                timer.expires_after(std::chrono::milliseconds(20));
                co_await timer.async_wait(asio::use_awaitable);
                co_return text(200, "late");
              },
              app::access::anyone});
}

}  // namespace

std::string ask(std::uint16_t port, std::string_view request, bool head_only) {
  raw_client client(port);
  REQUIRE(client.send(request));
  return client.read_response(head_only);
}

std::string talk(std::uint16_t port, std::string_view bytes) {
  raw_client client(port);
  client.send(bytes);  // the server may refuse, and close, before it has read all of it
  auto all = client.read_all();
  REQUIRE_FALSE(client.timed_out());
  return all;
}

void eventually_open(server& s, std::size_t connections) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (s.open_connections() != connections) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::yield();
  }
}

std::unique_ptr<server> start_test_server(server_options options) {
  router routes;
  add_test_routes(routes);
  auto s = std::make_unique<server>(std::move(options), std::move(routes));
  const auto started = s->start();
  REQUIRE_MESSAGE(started.has_value(), "the test server starts");
  return s;
}

}  // namespace soma::http
