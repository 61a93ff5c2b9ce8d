// A connection's answers, and its end.
#include <sys/uio.h>

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

constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);

iovec part_of(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

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
  while (!head.empty() || !body.empty() || !socket_.flush()) {
    ssize_t sent = client_socket::would_block;
    if (!head.empty()) {
      std::array<iovec, 2> parts{part_of(head), part_of(body)};
      sent = socket_.write_some({parts.data(), body.empty() ? 1u : 2u});
    } else if (!body.empty()) {
      auto part = part_of(body);
      sent = socket_.write_some({&part, 1});
    }
    if (sent == client_socket::broken) co_return give_up();
    if (sent == client_socket::would_block) {
      arm(limits_.write_timeout_ms);
      const auto [waited] =
          co_await socket_.socket().async_wait(asio::socket_base::wait_write, as_tuple);
      disarm();
      if (waited) co_return give_up();
      continue;
    }
    const auto of_head = std::min(static_cast<std::size_t>(sent), head.size());
    head.remove_prefix(of_head);
    body.remove_prefix(static_cast<std::size_t>(sent) - of_head);
  }
  co_return true;
}

bool connection::give_up() {
  socket_.close();
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

void connection::tell_rates(response& answer) const {
  const bool is_ours =
      (of_address_ && !of_address_->is_allowed) || (of_caller_ && !of_caller_->is_allowed);
  auto left = rate_left(of_address_, of_caller_);
  // What is refused for another bound says when that one has room.
  if (is_ours)
    answer.headers.put("RateLimit", std::move(left));
  else
    answer.headers.emplace_back("RateLimit", std::move(left));
  answer.headers.emplace_back("RateLimit-Policy", rate_policy(of_address_, of_caller_));
}

asio::awaitable<bool> connection::finish(response answer) {
  // The request's body is not held while a slow client reads. What is made piece by piece may be
  // made of it, a model's answer say, so there it counts to the end.
  byte_budget::share made_of;
  if (answer.produce) made_of = std::move(share_);
  release_body();
  // Whoever is nobody and at fault again and again is told to wait, before more is done for it.
  if (ctx_.caller.role == app::role::anonymous && !of_node_ && is_fault_of_client(answer.status) &&
      !shard_.strangers.take(ctx_.peer)) {
    answer = problem(stranger_buckets::refusal(), ctx_);
    answer.close = true;
  }
  if (of_address_ || of_caller_) tell_rates(answer);
  if (!shared_with_.empty()) {
    answer.headers.emplace_back("Access-Control-Allow-Origin", std::string(shared_with_));
    answer.headers.emplace_back("Access-Control-Expose-Headers",
                                "Content-Disposition, ETag, Idempotency-Replayed, Location, "
                                "RateLimit, RateLimit-Policy, Retry-After, Soma-Position, "
                                "X-Request-ID");
    answer.headers.emplace_back("Vary", "Origin");
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
  options.tls = ctx_.is_tls;
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
