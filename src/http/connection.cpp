#include <sys/socket.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <cstring>
#include <exception>

#include "core/codes.hpp"
#include "core/secret.hpp"
#include "http/ascii.hpp"
#include "http/io_shard.hpp"
#include "http/problem.hpp"
#include "http/request_parser.hpp"
#include "http/response_head.hpp"

namespace soma::http {
namespace {

namespace sys = boost::system;
constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);

bool is_request_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 &&
         id.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
             std::string_view::npos;
}

// Of a body that is read in pieces, over its whole time: 4 KB/s, a poor telephone's.
constexpr std::uint64_t body_bytes_per_ms_min = 4;

constexpr std::string_view continue_line = "HTTP/1.1 100 Continue\r\n\r\n";

// The state of one connection, and the steps of its coroutine. `buffer_` holds the head of the
// request being served at its start, so that views into it stay good, and input after it.
class connection final : public body_reader, public response_stream, public peer_watch {
 public:
  connection(io_shard& shard, asio::ip::tcp::socket socket, connection_slot slot)
      : shard_(shard),
        limits_(shard.options.limits),
        watched_(std::move(socket)),
        socket_(watched_.socket),
        slot_(std::move(slot)),
        capacity_(limits_.header_bytes_max + limits::http_read_bytes),
        buffer_(std::make_unique_for_overwrite<char[]>(capacity_)) {
    sys::error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    ctx_.peer = socket_.remote_endpoint(ignored).address();
    ctx_.io_thread = shard.index;
    ctx_.peer_watch = this;
    shard_.sockets.push_back(watched_);
  }

  asio::awaitable<void> run() {
    // Not `while (co_await …)`: where that is a coroutine's first statement, g++ 12 lays its frame
    // out in two ways and `this` is read from the wrong place.
    for (bool more = true; more;) more = co_await serve_one();
    if (socket_.is_open()) co_await linger();
  }

  asio::awaitable<result<std::string_view>> read_some() override {
    piece_.clear();
    while (piece_.empty() && !parser_->is_done()) {
      // Whoever sends a byte now and then holds a place that others wait for.
      const std::chrono::milliseconds allowed(
          static_cast<std::int64_t>(streamed_bytes_ / body_bytes_per_ms_min) +
          limits_.body_timeout_ms);
      const auto begin = clock::now();
      const auto deadline = begin + (allowed - stream_waited_);
      auto failure = co_await read_body_into(piece_, deadline);
      stream_waited_ += clock::now() - begin;
      if (failure) co_return *failure;
    }
    streamed_bytes_ += piece_.size();
    co_return std::string_view(piece_);
  }

  asio::awaitable<bool> write(std::string_view piece) override {
    if (piece.empty() || head_only_) co_return true;
    if (!chunked_answer_) co_return co_await send(piece);
    char size[20];
    const auto end = std::to_chars(size, size + 16, piece.size(), 16).ptr;
    out_.assign(size, end).append("\r\n").append(piece).append("\r\n");
    co_return co_await send(out_);
  }

  void when_gone(std::function<void()> gone) override {
    gone_ = std::move(gone);
    if (watching_) return;
    watching_ = true;
    socket_.async_wait(asio::socket_base::wait_read, [this, alive = std::weak_ptr<bool>(alive_)](
                                                         sys::error_code ec) {
      if (alive.expired()) return;
      watching_ = false;
      char byte = 0;
      // A next request that is there already says that its sender is, too.
      if (ec || ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) return;
      if (auto told = std::exchange(gone_, nullptr)) told();
    });
  }

 private:
  void arm(int timeout_ms) {
    watched_.expired = false;
    watched_.deadline = clock::now() + std::chrono::milliseconds(timeout_ms);
  }
  void disarm() { watched_.deadline = clock::time_point::max(); }

  // Reads behind end_. False at the end of input, on an error, or past the deadline.
  asio::awaitable<bool> fill() {
    if (watched_.expired) co_return false;
    const auto [ec, n] = co_await socket_.async_read_some(
        asio::buffer(buffer_.get() + end_, capacity_ - end_), as_tuple);
    end_ += n;
    co_return !ec && n > 0;
  }

  asio::awaitable<bool> send(std::string_view bytes) { return send(bytes, std::string_view()); }

  // Head and body in one system call where the socket takes them; waits for the rest otherwise.
  asio::awaitable<bool> send(std::string_view head, std::string_view body) {
    std::array<asio::const_buffer, 2> parts{asio::buffer(head), asio::buffer(body)};
    const auto total = head.size() + body.size();
    std::size_t sent = 0;
    while (sent < total) {
      sys::error_code ec;
      const auto n = body.empty() ? socket_.write_some(asio::const_buffer(parts[0]), ec)
                                  : socket_.write_some(parts, ec);
      sent += n;
      if (sent == total) break;
      const auto from_head = std::min(n, parts[0].size());
      parts[0] += from_head;
      parts[1] += n - from_head;
      if (ec == asio::error::would_block) {
        arm(limits_.write_timeout_ms);
        const auto [waited] = co_await socket_.async_wait(asio::socket_base::wait_write, as_tuple);
        disarm();
        if (waited) co_return give_up();
      } else if (ec) {
        co_return give_up();
      }
    }
    co_return true;
  }

  bool give_up() {
    sys::error_code ignored;
    socket_.close(ignored);
    return false;
  }

  // True when the connection goes on with another request.
  asio::awaitable<bool> serve_one() {
    gone_ = nullptr;
    parser_.reset();
    ctx_.clear();
    head_only_ = false;
    compact();
    head_scanner scanner;
    auto scanned = scanner.scan({buffer_.get(), end_});
    if (end_ == 0) {
      if (shard_.stopping) co_return false;
      watched_.idle = true;
      arm(limits_.idle_timeout_ms);
      const bool more = co_await fill();
      watched_.idle = false;
      if (!more) co_return give_up();
      scanned = scanner.scan({buffer_.get(), end_});
    }
    if (scanned == head_scanner::outcome::incomplete) {
      arm(limits_.header_timeout_ms);
      while (scanned == head_scanner::outcome::incomplete && end_ < limits_.header_bytes_max) {
        const bool more = co_await fill();
        if (!more && watched_.expired)
          co_return co_await refuse(codes::request_timeout, "The headers did not arrive in time");
        if (!more) co_return give_up();
        scanned = scanner.scan({buffer_.get(), end_});
      }
    }
    disarm();
    ctx_.started_at = clock::now();
    if (scanned == head_scanner::outcome::malformed)
      co_return co_await refuse(codes::request_malformed,
                                "The request holds bytes that HTTP/1.1 does not allow there");
    if (scanned == head_scanner::outcome::incomplete ||
        scanner.head_size() > limits_.header_bytes_max)
      co_return co_await refuse(codes::request_header_too_large,
                                "Request line and headers are longer than this server takes");
    head_size_ = at_ = scanner.head_size();
    parser_.emplace(ctx_, limits_.header_count_max);
    if (auto bad = parser_->parse_head({buffer_.get(), head_size_}))
      co_return co_await refuse(*bad);
    co_return co_await dispatch();
  }

  void compact() {
    std::memmove(buffer_.get(), buffer_.get() + at_, end_ - at_);
    end_ -= at_;
    at_ = head_size_ = 0;
  }

  asio::awaitable<bool> dispatch() {
    take_request_id();
    head_only_ = ctx_.verb == verb::head;
    ctx_.openai_errors = is_openai_path(ctx_.path);
    // HTTP/1.0 has no Host. No browser speaks it, so a page that seems to ask is not believed.
    const bool no_host = parser_->is_http10() && !ctx_.has_header("Host");
    if (no_host && ctx_.has_header("Origin"))
      co_return co_await refuse(codes::origin_refused, "The page that asks is of a foreign origin");
    if (!no_host)
      if (auto bad = shard_.options.guard.check(parser_->host(), ctx_))
        co_return co_await refuse(*bad);
    if (ctx_.verb == verb::options && ctx_.path == "*") {
      response answer(204);
      answer.headers.emplace_back("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
      co_return co_await finish(std::move(answer));
    }
    const auto match = shard_.routes.find(ctx_);
    switch (match.outcome) {
      case router::outcome::malformed_path:
        co_return co_await refuse(codes::request_malformed, "The path cannot be decoded");
      case router::outcome::not_found:
        co_return co_await decline(codes::route_not_found, "No such path");
      case router::outcome::method_not_allowed: {
        response answer =
            ctx_.verb == verb::options
                ? response(204)
                : problem({codes::request_method_not_allowed, "Not a method of this path"}, ctx_);
        answer.headers.emplace_back("Allow", std::string(match.allow));
        co_return co_await finish(std::move(answer));
      }
      case router::outcome::found: break;
    }
    const route& r = *match.route;
    ctx_.operation_id = r.operation_id;
    if (r.auth != auth_rule::none)
      if (auto bad = co_await authenticate(r)) co_return co_await decline(*bad);
    body_bytes_max_ = r.body_bytes_max ? r.body_bytes_max : limits_.body_bytes_max;
    const body_guard guard{r.body_is_secret ? this : nullptr};
    if (auto bad = co_await take_body(r)) co_return co_await refuse(*bad);
    if (!r.body_schema.empty() && !(r.body_optional && ctx_.body.empty())) {
      auto bad = shard_.options.schemas->check(r.body_schema, ctx_.header("Content-Type"),
                                               ctx_.body, ctx_.json);
      if (bad) co_return co_await decline(bad->why, bad->members);
    }
    response answer = co_await call(r);
    co_return co_await finish(std::move(answer));
  }

  struct body_guard {
    connection* of;
    ~body_guard() {
      if (of) of->forget_body();
    }
  };

  // All of it that was read: into the buffer, out of it, and the strings parsed from it.
  void forget_body() {
    wipe(body_.data(), body_.size());
    if (at_ > head_size_) wipe(buffer_.get() + head_size_, at_ - head_size_);
    if (auto* object = ctx_.json.if_object())
      for (auto& member : *object)
        if (auto* text = member.value().if_string()) wipe(text->data(), text->size());
  }

  void take_request_id() {
    const auto given = ctx_.header("X-Request-ID");
    if (is_request_id(given))
      ctx_.request_id = given;
    else
      ctx_.request_id = shard_.ids.next();
  }

  asio::awaitable<std::optional<error>> authenticate(const route& r) {
    if (!shard_.options.authenticator)
      co_return error(codes::auth_required, "This server has no sign-in configured");
    auto who = co_await shard_.options.authenticator->authenticate(ctx_, r.auth);
    if (!who) {
      if (r.auth == auth_rule::optional && who.error().code == codes::auth_required)
        co_return std::nullopt;
      co_return who.error();
    }
    ctx_.identity = std::move(*who);
    const auto is = ctx_.identity.role;
    const bool allowed =
        r.auth == auth_rule::optional || (r.auth == auth_rule::internal ? is == role::internal
                                          : r.auth == auth_rule::admin  ? is == role::admin
                                                                        : is != role::anonymous);
    if (!allowed) co_return error(codes::auth_forbidden, "The caller's role does not allow this");
    co_return std::nullopt;
  }

  asio::awaitable<std::optional<error>> take_body(const route& r) {
    if (!parser_->has_body()) co_return std::nullopt;
    if (r.body == body_mode::none)
      co_return error(codes::request_malformed, "This route takes no body");
    if (parser_->declared_length().value_or(0) > body_bytes_max_)
      co_return error(codes::request_too_large, "The body is larger than this route takes");
    if (parser_->expects_continue() && at_ == end_ && !co_await send(continue_line))
      co_return error(codes::request_timeout, "The client is gone");
    if (r.body == body_mode::streamed) {
      ctx_.stream = this;
      stream_waited_ = {};
      streamed_bytes_ = 0;
      co_return std::nullopt;
    }
    body_.clear();
    const auto deadline = clock::now() + std::chrono::milliseconds(limits_.body_timeout_ms);
    while (!parser_->is_done())
      if (auto failure = co_await read_body_into(body_, deadline)) co_return failure;
    ctx_.body = body_;
    co_return std::nullopt;
  }

  // Parses what is there, after reading more when nothing is. Appends what it decodes.
  asio::awaitable<std::optional<error>> read_body_into(
      std::string& out, clock::time_point deadline = clock::time_point::max()) {
    auto done = parser_->parse_body({buffer_.get() + at_, end_ - at_}, out, body_bytes_max_);
    at_ += done.used;
    if (done.failure) co_return done.failure;
    if (done.used > 0 || parser_->is_done()) co_return std::nullopt;
    // What is left is the beginning of a chunk's header: kept, and moved next to the head.
    std::memmove(buffer_.get() + head_size_, buffer_.get() + at_, end_ - at_);
    end_ = head_size_ + (end_ - at_);
    at_ = head_size_;
    if (end_ == capacity_) co_return error(codes::request_malformed, "A chunk header is too long");
    arm(limits_.body_timeout_ms);
    watched_.deadline = std::min(watched_.deadline, deadline);
    const bool more = co_await fill();
    disarm();
    if (more) co_return std::nullopt;
    if (watched_.expired)
      co_return error(codes::request_timeout, "The body did not arrive in time");
    co_return error(codes::request_malformed, "The body is cut off");
  }

  asio::awaitable<response> call(const route& r) {
    std::string fault;
    try {
      co_return co_await r.handler(ctx_);
    } catch (const std::exception& e) {
      fault = e.what();
    } catch (...) {
      fault = "an exception that is none";
    }
    if (shard_.options.on_fault) shard_.options.on_fault(ctx_.request_id, fault);
    co_return problem({codes::internal, "The server failed; its log has the request_id"}, ctx_);
  }

  // Answers and ends the connection: where the next request would begin is not known. These four
  // are no coroutines, so that their callers' co_await expressions hold no temporaries, which g++
  // 12 may destroy twice.
  asio::awaitable<bool> refuse(const error& e) {
    if (!parser_ || ctx_.request_id.empty()) take_request_id();
    response answer = problem(e, ctx_);
    answer.close = true;
    return finish(std::move(answer));
  }
  asio::awaitable<bool> refuse(std::string_view code, const char* detail) {
    return refuse(error(code, detail));
  }

  // Answers an error of a request whose end is known.
  asio::awaitable<bool> decline(const error& e, const std::vector<problem_member>& members = {}) {
    return finish(problem(e, ctx_, members));
  }
  asio::awaitable<bool> decline(std::string_view code, const char* detail) {
    return decline(error(code, detail));
  }

  asio::awaitable<bool> finish(response answer) {
    // HEAD of a stream is its head, without a length.
    const bool endless = answer.takeover != nullptr;
    if (head_only_) answer.takeover = nullptr;
    if (answer.takeover && end_ > at_) {
      answer =
          problem({codes::request_malformed, "Input follows a request that opens a stream"}, ctx_);
      answer.close = true;
    }
    const bool body_read = !parser_ || parser_->is_done();
    const bool keep =
        parser_ && parser_->keeps_alive() && body_read && !answer.close && !shard_.stopping;
    head_options options{
        shard_.date, ctx_.request_id, {}, false, keep, parser_ && parser_->is_http10()};
    if (answer.takeover) {
      record(answer.status);
      hand_over(answer, options);
      co_return false;
    }
    if (answer.produce) {
      const bool whole = co_await stream(answer, options);
      record(answer.status);
      co_return whole;
    }
    auto body = answer.bytes();
    if (answer.status != 204 && answer.status != 304 && !(endless && head_only_))
      options.content_length = body.size();
    out_.clear();
    append_head(out_, answer, options);
    if (head_only_) body = {};
    const bool sent = co_await send(out_, body);
    record(answer.status);
    co_return sent&& keep;
  }

  void hand_over(response& answer, head_options& options) {
    options.keep_alive = false;         // a stream ends with its connection,
    options.chunked = !options.http10;  // and says whether it was cut
    std::string head;
    append_head(head, answer, options);
    watched_.unlink();
    taken_socket taken{std::move(socket_), std::move(slot_), std::move(head), shard_.index,
                       options.chunked};
    answer.takeover(std::move(taken));
  }

  asio::awaitable<bool> stream(response& answer, head_options& options) {
    options.content_length = answer.produced_bytes;
    chunked_answer_ = options.chunked = !options.http10 && !answer.produced_bytes;
    if (options.http10 && !answer.produced_bytes) options.keep_alive = false;
    out_.clear();
    append_head(out_, answer, options);
    if (!co_await send(out_)) co_return false;
    if (!head_only_) {
      bool whole = false;
      try {
        whole = co_await answer.produce(*this);
      } catch (const std::exception& e) {
        if (shard_.options.on_fault) shard_.options.on_fault(ctx_.request_id, e.what());
      }
      if (!whole) co_return give_up();
      if (chunked_answer_ && !co_await send("0\r\n\r\n")) co_return false;
    }
    co_return options.keep_alive;
  }

  void record(int status) {
    if (shard_.options.probe)
      shard_.options.probe->on_request(ctx_.operation_id, ctx_.verb, status,
                                       clock::now() - ctx_.started_at);
  }

  // Closing with input unread would reset the connection and could destroy the answer on its way.
  asio::awaitable<void> linger() {
    sys::error_code ec;
    socket_.shutdown(asio::socket_base::shutdown_send, ec);
    arm(limits_.linger_timeout_ms);
    for (std::size_t drained = 0; !ec && drained < limits::http_linger_bytes_max;) {
      at_ = end_ = 0;
      if (!co_await fill()) break;
      drained += end_;
    }
    give_up();
  }

  io_shard& shard_;
  const net_limits& limits_;
  watched_socket watched_;
  asio::ip::tcp::socket& socket_;
  connection_slot slot_;
  const std::size_t capacity_;
  std::unique_ptr<char[]> buffer_;
  std::size_t head_size_ = 0;  // of the request being served
  std::size_t at_ = 0;         // the first byte not yet parsed
  std::size_t end_ = 0;        // behind the last byte read
  request_context ctx_;
  std::optional<request_parser> parser_;
  std::string body_, piece_, out_;
  std::uint64_t body_bytes_max_ = 0;
  clock::duration stream_waited_{};
  std::uint64_t streamed_bytes_ = 0;
  bool head_only_ = false;
  bool chunked_answer_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for what may come after us
  std::function<void()> gone_;
  bool watching_ = false;
};

}  // namespace

asio::awaitable<void> serve_connection(io_shard& shard, asio::ip::tcp::socket socket,
                                       connection_slot slot) {
  connection c(shard, std::move(socket), std::move(slot));
  co_await c.run();
}

}  // namespace soma::http
