// A connection's answers, and its end.
#include <sys/socket.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <exception>

#include "core/codes.hpp"
#include "http/net/connection.hpp"
#include "http/net/problem.hpp"

namespace soma::http {
namespace {

namespace sys = boost::system;
constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);

bool is_fault_of_client(int status) {
  return status >= 400 && status < 500 && status != 429;
}

}  // namespace

asio::awaitable<bool> connection::write(std::string_view piece) {
  if (piece.empty() || head_only_) co_return true;
  if (!chunked_answer_) co_return co_await send(piece);
  char size[20];
  const auto end = std::to_chars(size, size + 16, piece.size(), 16).ptr;
  out_.assign(size, end).append("\r\n").append(piece).append("\r\n");
  co_return co_await send(out_);
}

asio::awaitable<bool> connection::send(std::string_view head, std::string_view body) {
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

bool connection::give_up() {
  sys::error_code ignored;
  socket_.close(ignored);
  return false;
}

asio::awaitable<bool> connection::refuse(const error& e) {
  if (!parser_ || ctx_.request_id.empty()) take_request_id();
  response answer = problem(e, ctx_);
  answer.close = true;
  return finish(std::move(answer));
}

asio::awaitable<bool> connection::refuse(std::string_view code, const char* detail) {
  return refuse(error(code, detail));
}

asio::awaitable<bool> connection::decline(const error& e,
                                          const std::vector<problem_member>& members) {
  return finish(problem(e, ctx_, members));
}

asio::awaitable<bool> connection::decline(std::string_view code, const char* detail) {
  return decline(error(code, detail));
}

// An answer that waits for its reader takes memory as a body does. One that was made from nothing
// but what is stored is refused where there is none, and can be asked for again; what was done is
// told all the same, and counts. Answers that many share are no one's.
void connection::count_answer(response& answer) {
  const auto bytes = answer.body.size();
  if (head_only_ || bytes <= limits::http_body_uncounted_bytes) return;
  const auto& tenant = ctx_.caller.tenant.value;
  if (ctx_.verb != verb::get) return shard_.bodies->count(share_, tenant, bytes);
  if (shard_.bodies->grow_for_answer(share_, tenant, bytes)) return;
  const error busy(codes::server_busy, "The memory for bodies is taken by answers not yet read", 1);
  answer = problem(busy, ctx_);
}

asio::awaitable<bool> connection::finish(response answer) {
  // The request's body is not held while a slow client reads. What is made piece by piece may be
  // made of it, a model's answer say, so there it counts to the end.
  byte_budget::share made_of;
  if (answer.produce) made_of = std::move(share_);
  release_body();
  // Whoever is nobody and at fault again and again is told to wait, before more is done for it.
  if (ctx_.caller.role == app::role::anonymous && is_fault_of_client(answer.status) &&
      !shard_.strangers.take(ctx_.peer)) {
    answer = problem(stranger_buckets::refusal(), ctx_);
    answer.close = true;
  }
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
  count_answer(answer);
  auto body = answer.bytes();
  if (answer.status != 204 && answer.status != 304 && !(endless && head_only_))
    options.content_length = body.size();
  out_.clear();
  append_head(out_, answer, options);
  if (head_only_) body = {};
  const bool sent = co_await send(out_, body);
  share_.release();
  record(answer.status);
  if (!sent) co_return false;
  co_return keep;
}

void connection::hand_over(response& answer, head_options& options) {
  options.keep_alive = false;         // a stream ends with its connection,
  options.chunked = !options.http10;  // and says whether it was cut
  std::string head;
  append_head(head, answer, options);
  watched_.unlink();
  taken_socket taken{std::move(socket_), std::move(slot_), std::move(head), shard_.index,
                     options.chunked};
  answer.takeover(std::move(taken));
}

asio::awaitable<bool> connection::stream(response& answer, head_options& options) {
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

void connection::record(int status) {
  if (shard_.options.probe)
    shard_.options.probe->on_request(ctx_.operation_id, ctx_.verb, status,
                                     clock::now() - ctx_.started_at);
}

}  // namespace soma::http
