// A request's body: read within its bounds, judged by its schema, given back.
#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>

#include "core/codes.hpp"
#include "core/secret_json.hpp"
#include "http/net/ascii.hpp"
#include "http/net/connection.hpp"

namespace soma::http {
namespace {

// Of a body that is read in pieces, over its whole time: 4 KB/s, a poor telephone's.
constexpr std::uint64_t body_bytes_per_ms_min = 4;

constexpr std::string_view continue_line = "HTTP/1.1 100 Continue\r\n\r\n";

// Only what is not encoded is read: a compressed body could become any size.
bool is_encoded(const request_context& ctx) {
  return std::any_of(ctx.headers.begin(), ctx.headers.end(), [](const header_field& field) {
    return iequals(field.name, "Content-Encoding") && !field.value.empty() &&
           !iequals(field.value, "identity");
  });
}

error too_many_bodies() {
  return error(codes::server_busy, "The memory for bodies is taken by others", 1);
}

}  // namespace

asio::awaitable<std::optional<error>> connection::take_body(const route& r) {
  if (!parser_->has_body()) co_return std::nullopt;
  if (r.body == body_mode::none)
    co_return error(codes::request_malformed, "This route takes no body");
  if (is_encoded(ctx_))
    co_return error(codes::request_unsupported_media_type, "A body is taken without an encoding");
  const auto declared = parser_->declared_length().value_or(0);
  if (declared > body_bytes_max_)
    co_return error(codes::request_too_large, "The body is larger than this route takes");
  const bool counts = r.body == body_mode::whole && declared > limits::http_body_uncounted_bytes;
  if (counts && !shard_.bodies->grow(share_, ctx_.caller.tenant.value, declared))
    co_return too_many_bodies();
  if (parser_->expects_continue() && at_ == end_ && !co_await send(continue_line))
    co_return error(codes::request_timeout, "The client is gone");
  if (r.body == body_mode::streamed) {
    ctx_.stream = this;
    stream_waited_ = {};
    streamed_bytes_ = 0;
    interrupted_.reset();
    co_return std::nullopt;
  }
  body_.clear();
  body_.reserve(declared);
  const auto deadline = clock::now() + std::chrono::milliseconds(limits_.body_timeout_ms);
  while (!parser_->is_done()) {
    if (auto failure = co_await read_body_into(body_, deadline)) co_return failure;
    // In chunks, its length is known at its end alone: the share grows with it, by doubling.
    if (body_.size() > limits::http_body_uncounted_bytes && body_.size() > share_.bytes() &&
        !shard_.bodies->grow(share_, ctx_.caller.tenant.value,
                             std::max(body_.capacity(), body_.size())))
      co_return too_many_bodies();
  }
  ctx_.body = body_;
  co_return std::nullopt;
}

asio::awaitable<std::optional<error>> connection::read_body_into(std::string& out,
                                                                 clock::time_point deadline) {
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
  if (watched_.expired) co_return error(codes::request_timeout, "The body did not arrive in time");
  co_return error(codes::request_malformed, "The body is cut off");
}

asio::awaitable<std::optional<body_schemas::refusal>> connection::check_body(const route& r) {
  using verdict = std::optional<body_schemas::refusal>;
  const auto type = ctx_.header("Content-Type");
  auto check = [this, &r, type] {
    return shard_.options.schemas->check(r.body_schema, type, ctx_.body, ctx_.json);
  };
  if (ctx_.body.size() <= limits::http_body_on_io_bytes) co_return check();
  // A large one could keep all connections of this thread waiting. This coroutine waits for it
  // without a deadline, so what it refers to stays.
  auto begin = [this, &check](auto handler) {
    auto kept = std::make_shared<decltype(handler)>(std::move(handler));
    asio::post(shard_.checkers, [kept, check, &io = shard_.context] {
      auto said = std::make_shared<verdict>(check());
      asio::post(io, [kept, said] { std::move (*kept)(std::move(*said)); });
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(verdict)>(
      begin, asio::use_awaitable);
}

// All of it that was read: into the buffer, out of it, and the strings parsed from it. A large
// one's memory is given back: connections that are idle hold none, nor those that send an answer.
void connection::release_body() {
  if (std::exchange(body_is_secret_, false)) {
    wipe(body_.data(), body_.size());
    if (at_ > head_size_) wipe(buffer_.get() + head_size_, at_ - head_size_);
    wipe(ctx_.json);
  }
  ctx_.body = {};
  ctx_.json = nullptr;
  for (auto* text : {&body_, &piece_, &out_})
    if (text->capacity() > limits::http_kept_bytes_max) std::string().swap(*text);
  share_.release();
}

void connection::interrupt(error why) {
  interrupted_ = std::move(why);
  socket_.cancel();
}

asio::awaitable<result<std::string_view>> connection::read_some() {
  piece_.clear();
  if (interrupted_) co_return *interrupted_;
  while (piece_.empty() && !parser_->is_done()) {
    // Whoever sends a byte now and then holds a place that others wait for.
    const std::chrono::milliseconds allowed(
        static_cast<std::int64_t>(streamed_bytes_ / body_bytes_per_ms_min) +
        limits_.body_timeout_ms);
    const auto begin = clock::now();
    const auto deadline = begin + (allowed - stream_waited_);
    auto failure = co_await read_body_into(piece_, deadline);
    stream_waited_ += clock::now() - begin;
    if (interrupted_) co_return *interrupted_;
    if (failure) co_return *failure;
  }
  streamed_bytes_ += piece_.size();
  co_return std::string_view(piece_);
}

}  // namespace soma::http
