// The state of one connection and the steps of its coroutine: reading a request (connection.cpp),
// its body (connection_body.cpp), the answer and the end (connection_answer.cpp).
//
// Threads: lives on its shard's io thread. Lifetime: that of its coroutine, serve_connection().
// Private to these three files.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/byte_budget.hpp"
#include "http/net/io_shard.hpp"
#include "http/net/request_parser.hpp"
#include "http/net/response_head.hpp"

namespace soma::http {

// `buffer_` holds the head of the request being served at its start, so that views into it stay
// good, and input after it.
class connection final : public body_reader, public response_stream, public peer_watch {
 public:
  // `of_node`: another node of the cluster is at the other end.
  connection(io_shard& shard, asio::ip::tcp::socket socket, connection_slot slot,
             bool of_node = false);

  asio::awaitable<void> run();

  asio::awaitable<result<std::string_view>> read_some() override;
  void interrupt(error why) override;
  asio::awaitable<bool> write(std::string_view piece) override;
  void when_gone(std::function<void()> gone) override;

 private:
  void arm(int timeout_ms) {
    watched_.expired = false;
    watched_.deadline = clock::now() + std::chrono::milliseconds(timeout_ms);
  }
  void disarm() { watched_.deadline = clock::time_point::max(); }

  // Reads behind end_. False at the end of input, on an error, or past the deadline.
  asio::awaitable<bool> fill();
  asio::awaitable<bool> send(std::string_view bytes) { return send(bytes, std::string_view()); }
  // Shakes hands where this server speaks TLS. False where there is nobody to speak with.
  asio::awaitable<bool> begin();
  // The answer to what a browser asks before a page of another origin may ask (CORS).
  static response preflight();
  // An answer to a request that came without TLS, where this server speaks it.
  response to_tls() const;
  // Head and body in one system call where the socket takes them; waits for the rest otherwise.
  asio::awaitable<bool> send(std::string_view head, std::string_view body);
  bool give_up();

  // These give true when the connection goes on with another request.
  asio::awaitable<bool> serve_one();
  bool is_rationed() const;
  asio::awaitable<bool> dispatch();
  asio::awaitable<bool> admit_node();
  asio::awaitable<bool> carry_out(const route& r);
  const tls_context* tls() const {
    return of_node_ ? shard_.options.nodes->tls : shard_.options.tls;
  }
  void compact();
  bool skip_empty_line();
  void take_request_id();
  asio::awaitable<std::optional<error>> authenticate(const route& r);
  asio::awaitable<response> call(const route& r);

  // The body. Each gives what is wrong with it, or nothing.
  asio::awaitable<std::optional<error>> take_body(const route& r);
  asio::awaitable<std::optional<body_schemas::refusal>> check_body(const route& r);
  // Parses what is there, after reading more when nothing is. Appends what it decodes.
  asio::awaitable<std::optional<error>> read_body_into(
      std::string& out, clock::time_point deadline = clock::time_point::max());
  void release_body();
  std::uint64_t bytes_max_of(const route& r) const;
  struct body_guard;

  // Answers and ends the connection: where the next request would begin is not known. These four
  // are no coroutines, so that their callers' co_await expressions hold no temporaries, which g++
  // 12 may destroy twice.
  asio::awaitable<bool> refuse(const error& e);
  asio::awaitable<bool> refuse(std::string_view code, const char* detail);
  // Answers an error of a request whose end is known.
  asio::awaitable<bool> decline(const error& e, const std::vector<problem_member>& members = {});
  asio::awaitable<bool> decline(std::string_view code, const char* detail);
  asio::awaitable<bool> finish(response answer);
  void count_answer(response& answer);
  void tell_rates(response& answer) const;
  void hand_over(response& answer, head_options& options);
  asio::awaitable<bool> stream(response& answer, head_options& options);
  void record(int status);

  io_shard& shard_;
  const net_limits& limits_;
  watched_socket watched_;
  client_socket& socket_;
  connection_slot slot_;
  const bool of_node_;
  asio::ip::address peer_;  // whose socket it is: a proxy's, where one is trusted
  const std::size_t capacity_;
  std::unique_ptr<char[]> buffer_;
  std::size_t head_size_ = 0;  // of the request being served
  std::size_t at_ = 0;         // the first byte not yet parsed
  std::size_t end_ = 0;        // behind the last byte read
  request_context ctx_;
  std::optional<request_parser> parser_;
  std::string body_, piece_, out_;
  byte_budget::share share_;  // of the memory for bodies, that body_ takes, or else its answer
  bool body_is_secret_ = false;
  std::uint64_t body_bytes_max_ = 0;
  clock::duration stream_waited_{};
  std::optional<error> interrupted_;  // why the streamed body is read no further
  std::uint64_t streamed_bytes_ = 0;
  bool first_ = true;  // no request was served yet
  bool head_only_ = false;
  std::optional<rate_share> of_address_, of_caller_;  // none: nobody rations it
  std::string_view shared_with_;  // the origin of the page that may read the answer; in buffer_
  bool lacks_tls_ = false;        // this server speaks it, and the client does not
  bool chunked_answer_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for what may come after us
  std::function<void()> gone_;
  bool watching_ = false;
};

}  // namespace soma::http
