// What a handler answers. A value; the connection adds Date, Content-Length, X-Request-ID and the
// security headers, and writes head and body in one call.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/static_text.hpp"
#include "http/net/client_socket.hpp"
#include "http/net/connection_slot.hpp"

namespace soma::http {

namespace asio = boost::asio;

// A socket that left its connection for a stream. `head` is the serialized response head, not yet
// sent, so that the stream can gather it with its first bytes. The callback runs on io thread
// `io_thread`, whose context the socket belongs to; `slot` must live as long as the socket does.
struct taken_socket {
  client_socket socket;
  connection_slot slot;
  std::string head;
  std::size_t io_thread;
  bool chunked;  // as the head says; otherwise the body ends with the connection
};

// Writes a body piece by piece, in chunks where its length is not known before. Belongs to the
// connection's coroutine.
class response_stream {
 public:
  virtual ~response_stream() = default;
  // False when the peer is gone or takes nothing for write_timeout_ms: stop producing.
  virtual asio::awaitable<bool> write(std::string_view piece) = 0;
};

// Headers in their order. A name is a constant, known to append_head().
class header_list {
 public:
  using field = std::pair<static_text, std::string>;
  void emplace_back(static_text name, std::string value) {
    fields_.emplace_back(name, std::move(value));
  }
  // In place of what has that name, where anything has.
  void put(static_text name, std::string value) {
    const std::string_view wanted = name;
    std::erase_if(fields_, [&](const field& one) { return std::string_view(one.first) == wanted; });
    emplace_back(name, std::move(value));
  }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

 private:
  std::vector<field> fields_;
};

struct response {
  int status = 200;
  static_text content_type = "application/json";
  static_text cache_control = "no-store";
  static_text content_security_policy = "default-src 'none'; frame-ancestors 'none'";
  header_list headers;  // may name one of those above, which is then left empty
  std::string body;
  std::shared_ptr<const std::string> shared_body;  // in place of `body`
  // Ends the HTTP connection and hands its socket over. Only for the last request in the buffer.
  std::function<void(taken_socket&&)> takeover;
  // Produces the body after the head was sent. False cuts the connection, so that the client sees
  // an answer that is not whole.
  std::function<asio::awaitable<bool>(response_stream&)> produce;
  std::optional<std::uint64_t> produced_bytes;  // how many; unset: not known before
  bool close = false;                           // end the connection after this answer
  std::shared_ptr<void> held;                   // something that lives until the answer is sent

  response() = default;
  explicit response(int s) : status(s) {}
  response(int s, std::string json) : status(s), body(std::move(json)) {}

  std::string_view bytes() const { return shared_body ? *shared_body : std::string_view(body); }
};

}  // namespace soma::http
