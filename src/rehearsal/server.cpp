#include "rehearsal/server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>

#include "core/codes.hpp"
#include "rehearsal/exchange.hpp"
#include "rehearsal/wire.hpp"

namespace soma::rehearsal {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t body_bytes_max = 64 * 1024 * 1024;

using request = http::request<http::string_body>;

std::string simple_answer(const request& asked) {
  const auto target = std::string_view(asked.target().data(), asked.target().size());
  const bool keep = asked.keep_alive();
  if (target == "/v1/chat/completions")
    return error_response(405, "use POST /v1/chat/completions", keep);
  if (target == "/v1/models") return response(200, models_json(), keep);
  if (target == "/healthz")
    return response(200, R"({"status":"ok","server":"soma-rehearsal, not a model"})", keep);
  return error_response(404, "the rehearsal server has no such route", keep);
}

asio::awaitable<bool> answer_request(tcp::socket& socket, const request& asked,
                                     fault_counts& faults) {
  if (asked.method() == http::verb::post && asked.target() == "/v1/chat/completions")
    co_return co_await answer_chat(socket, asked.body(), asked.keep_alive(), faults);
  const std::string bytes = simple_answer(asked);
  auto [ec, n] = co_await asio::async_write(socket, asio::buffer(bytes), use_tuple);
  co_return !ec && asked.keep_alive();
}

asio::awaitable<void> serve(tcp::socket socket, fault_counts& faults) {
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  boost::beast::flat_buffer buffer;
  while (true) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(body_bytes_max);
    auto [ec, n] = co_await http::async_read(socket, buffer, parser, use_tuple);
    if (ec) break;
    if (!co_await answer_request(socket, parser.get(), faults)) break;
  }
  socket.shutdown(tcp::socket::shutdown_both, ignored);
}

}  // namespace

struct server::impl {
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  fault_counts faults;

  asio::awaitable<void> accept() {
    asio::steady_timer pause(io);
    while (acceptor.is_open()) {
      auto [ec, socket] = co_await acceptor.async_accept(use_tuple);
      if (!ec) {
        asio::co_spawn(io, serve(std::move(socket), faults), asio::detached);
      } else if (acceptor.is_open()) {
        // Out of file descriptors: the waiting connection stays in the backlog, so do not spin.
        pause.expires_after(std::chrono::milliseconds(10));
        co_await pause.async_wait(use_tuple);
      }
    }
  }
};

server::server(std::unique_ptr<impl> state) : impl_(std::move(state)) {}
server::~server() = default;

result<std::unique_ptr<server>> server::open(const server_options& options) {
  auto state = std::make_unique<impl>();
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(options.host, ec);
  const tcp::endpoint endpoint(address, options.port);
  auto& acceptor = state->acceptor;
  if (!ec) acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(4096, ec);
  if (ec)
    return error(codes::llm_unreachable, "cannot listen on " + options.host + ": " + ec.message());
  asio::co_spawn(state->io, state->accept(), asio::detached);
  return std::unique_ptr<server>(new server(std::move(state)));
}

std::uint16_t server::port() const {
  return impl_->acceptor.local_endpoint().port();
}
void server::run() {
  impl_->io.run();
}
void server::stop() {
  impl_->io.stop();
}

}  // namespace soma::rehearsal
