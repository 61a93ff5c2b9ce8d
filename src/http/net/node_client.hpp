// Requests that this node hands over to another of its cluster, at that one's door for nodes
// (server_options::nodes): HTTP/1.1 over a few kept connections, bodies and answers as they come,
// never held whole where they are large.
//
// Threads: one, its io thread. Lifetime: outlives the requests that it carries, and what they
// answer.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/net/request_context.hpp"
#include "http/net/response.hpp"

struct ssl_ctx_st;  // SSL_CTX, of OpenSSL

namespace soma::http {

struct node_client_options {
  std::shared_ptr<ssl_ctx_st> tls;  // null: plain
  int connect_ms = 2'000;           // to connect and shake hands
  int silence_ms = 60'000;    // while nothing is taken, or an answer that began does not go on
  int idle_ms = 10'000;       // a connection is kept; less than the other keeps it
  std::size_t idle_max = 64;  // connections kept, of all nodes
};

// What is handed over. Views live through the call.
struct handed_over {
  std::string door;  // host:port
  std::string method, target;
  std::string fields;  // "Name: value\r\n" …, without Host, Content-Length and Transfer-Encoding
  std::string_view body;          // whole
  bool secret = false;            // `body` is wiped from what is kept of it here
  body_reader* stream = nullptr;  // in place of `body`: read as it goes out
  // Whether the other is there. Asked about once a second while its answer has not begun, which may
  // take as long as what it does; none: silence_ms is waited for then, too.
  std::function<bool()> lives{};
};

enum class hand_over : std::uint8_t {
  answered,   // `answer` is the other's; of a large one the body is produced as it comes
  not_begun,  // the other did not see it
  unknown,    // it may have carried it out
};

struct handed_back {
  hand_over how = hand_over::not_begun;
  response answer{};
  std::string why{};    // in a sentence, where not answered
  error body_failed{};  // where the client's body could not be read: code not empty
};

class node_client {
 public:
  node_client(asio::io_context& io, node_client_options options);
  ~node_client();
  node_client(const node_client&) = delete;

  asio::awaitable<handed_back> ask(handed_over what);

  asio::io_context& context() const;

  // Keeps nothing from now on.
  void stop();

 private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace soma::http
