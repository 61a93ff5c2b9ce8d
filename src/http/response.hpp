// What a handler answers. A value; the connection adds Date, Content-Length, X-Request-ID and the
// security headers, and writes head and body in one call.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/connection_slot.hpp"

namespace soma::http {

namespace asio = boost::asio;

// A socket that left its connection for a stream. `head` is the serialized response head, not yet
// sent, so that the stream can gather it with its first bytes. The callback runs on io thread
// `io_thread`, whose context the socket belongs to; `slot` must live as long as the socket does.
struct taken_socket {
  asio::ip::tcp::socket socket;
  connection_slot slot;
  std::string head;
  std::size_t io_thread;
};

// Writes a body piece by piece, in chunks where its length is not known before. Belongs to the
// connection's coroutine.
class response_stream {
 public:
  virtual ~response_stream() = default;
  // False when the peer is gone or takes nothing for write_timeout_ms: stop producing.
  virtual asio::awaitable<bool> write(std::string_view piece) = 0;
};

struct response {
  int status = 200;
  std::string_view content_type = "application/json";  // static storage
  std::string_view cache_control = "no-store";         // static storage
  std::string_view content_security_policy = "default-src 'none'; frame-ancestors 'none'";
  std::vector<std::pair<std::string_view, std::string>> headers;  // names: static storage
  std::string body;
  std::shared_ptr<const std::string> shared_body;  // in place of `body`
  // Ends the HTTP connection and hands its socket over. Only for the last request in the buffer.
  std::function<void(taken_socket&&)> takeover;
  // Produces the body after the head was sent. False cuts the connection, so that the client sees
  // an answer that is not whole.
  std::function<asio::awaitable<bool>(response_stream&)> produce;
  std::optional<std::uint64_t> produced_bytes;  // how many; unset: not known before
  bool close = false;                           // end the connection after this answer

  response() = default;
  explicit response(int s) : status(s) {}
  response(int s, std::string json) : status(s), body(std::move(json)) {}

  std::string_view bytes() const { return shared_body ? *shared_body : std::string_view(body); }
};

}  // namespace soma::http
