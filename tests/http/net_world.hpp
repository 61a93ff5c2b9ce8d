// A server on a free port and a raw socket to speak to it: tests write bytes and read bytes, so
// that nothing between them mends what is wrong.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/net/server.hpp"

namespace soma::http {

// A blocking client with a deadline on every read (5 s): a server that hangs fails the test.
class raw_client {
 public:
  explicit raw_client(std::uint16_t port);
  ~raw_client();
  raw_client(const raw_client&) = delete;
  raw_client& operator=(const raw_client&) = delete;

  bool send(std::string_view bytes);
  void shutdown_send();
  // One whole response (Content-Length, chunked or none), or what came before the end of input.
  // `head_only`: the answer to HEAD, or one that has no body.
  std::string read_response(bool head_only = false);
  // Everything until the peer closes; `closed()` says whether it did.
  std::string read_all();
  bool closed() const { return closed_; }
  bool timed_out() const { return timed_out_; }

 private:
  bool fill();
  int fd_;
  std::string buffer_;
  bool closed_ = false, timed_out_ = false;
};

int status_of_text(std::string_view response);
std::string header_of(std::string_view response, std::string_view name);
std::string body_of(std::string_view response);
std::string code_of(std::string_view response);  // of a problem
std::size_t count_responses(std::string_view bytes);

net_limits short_limits();

// One request on a connection of its own, and its answer.
std::string ask(std::uint16_t port, std::string_view request, bool head_only = false);
// The same, to the end of the connection: fails where the server neither closes nor goes on.
std::string talk(std::uint16_t port, std::string_view bytes);
// Waits until the server has so many connections open.
void eventually_open(server& s, std::size_t connections);

// Routes: GET /ping, POST /echo (whole body, 1000 bytes), POST /count (streamed), GET /export
// (chunked), GET /large (32 MiB), GET /items/{id}, GET /items/@me, GET /query?after, GET /stream
// (takeover), GET /boom (throws), GET /secret (user), GET /trace (the trace id), GET /late (20 ms).
std::unique_ptr<server> start_test_server(server_options options = {});

}  // namespace soma::http
