#include "http/net/connection.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>
#include <exception>

#include "core/codes.hpp"
#include "http/net/linger.hpp"
#include "http/net/problem.hpp"
#include "http/net/relayed_caller.hpp"

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

bool lets_in(app::access rule, app::role is) {
  switch (rule) {
    case app::access::anyone:
    case app::access::optional: return true;
    case app::access::user: return is != app::role::anonymous;
    case app::access::admin: return is == app::role::admin;
    case app::access::internal: return is == app::role::internal;
    case app::access::operation: return is == app::role::admin || is == app::role::internal;
  }
  return false;
}

}  // namespace

connection::connection(io_shard& shard, asio::ip::tcp::socket socket, connection_slot slot,
                       bool of_node)
    : shard_(shard),
      limits_(shard.options.limits),
      watched_(std::move(socket)),
      socket_(watched_.socket),
      slot_(std::move(slot)),
      of_node_(of_node),
      capacity_(limits_.header_bytes_max + limits::http_read_bytes),
      buffer_(std::make_unique_for_overwrite<char[]>(capacity_)) {
  sys::error_code ignored;
  auto& plain = socket_.socket();
  plain.non_blocking(true, ignored);
  plain.set_option(asio::ip::tcp::no_delay(true), ignored);
  peer_ = ctx_.peer = plain.remote_endpoint(ignored).address();
  ctx_.io_thread = shard.index;
  ctx_.peer_watch = this;
  shard_.sockets.push_back(watched_);
}

asio::awaitable<bool> connection::begin() {
  arm(limits_.header_timeout_ms);
  lacks_tls_ = !co_await socket_.begins_with_tls();
  bool good = true;
  if (!lacks_tls_) good = co_await socket_.accept_tls(tls()->current());
  // Whoever has no certificate of the cluster's authority is told nothing.
  if (of_node_) good = good && !lacks_tls_ && socket_.has_certificate();
  disarm();
  ctx_.is_tls = good && !lacks_tls_;
  ctx_.has_certificate = socket_.has_certificate();
  co_return good;
}

asio::awaitable<void> connection::run() {
  if (tls()) {
    const bool good = co_await begin();
    if (!good) co_return socket_.close();
  }
  // Not `while (co_await …)`: where that is a coroutine's first statement, g++ 12 lays its frame
  // out in two ways and `this` is read from the wrong place.
  for (bool more = true; more;) more = co_await serve_one();
  if (socket_.is_open()) co_await linger(shard_, watched_);
}

void connection::when_gone(std::function<void()> gone) {
  gone_ = std::move(gone);
  if (watching_) return;
  watching_ = true;
  auto look = [this, alive = std::weak_ptr<bool>(alive_)](sys::error_code ec) {
    if (alive.expired()) return;
    watching_ = false;
    const auto now = ec ? client_socket::presence::gone : socket_.look();
    // A next request that is there already says that its sender is, too.
    if (now == client_socket::presence::there) return;
    // Woken for nothing: it is watched on.
    if (now == client_socket::presence::silent) return when_gone(std::move(gone_));
    if (auto told = std::exchange(gone_, nullptr)) told();
  };
  socket_.socket().async_wait(asio::socket_base::wait_read, std::move(look));
}

asio::awaitable<bool> connection::fill() {
  if (watched_.expired) co_return false;
  if (socket_.is_tls()) {
    const std::span<char> room(buffer_.get() + end_, capacity_ - end_);
    const auto got = co_await socket_.read_some(room);
    end_ += got;
    co_return got > 0;
  }
  const auto [ec, n] = co_await socket_.socket().async_read_some(
      asio::buffer(buffer_.get() + end_, capacity_ - end_), as_tuple);
  end_ += n;
  co_return !ec && n > 0;
}

// A line end that some clients send after a body, and that RFC 9112 (2.2) wants passed over.
bool connection::skip_empty_line() {
  if (end_ < 2 || buffer_[0] != '\r' || buffer_[1] != '\n') return false;
  at_ = 2;
  compact();
  return true;
}

asio::awaitable<bool> connection::serve_one() {
  gone_ = nullptr;
  parser_.reset();
  ctx_.clear();
  ctx_.peer = peer_;
  head_only_ = false;
  shared_with_ = {};
  of_address_.reset();
  of_caller_.reset();
  compact();
  bool skipped = skip_empty_line();
  if (end_ == 0) {
    if (shard_.stopping) co_return false;
    watched_.idle = true;
    watched_.idle_since = clock::now();
    // Who opens a connection has something to say; who has said it may come back later.
    arm(first_ ? limits_.header_timeout_ms : limits_.idle_timeout_ms);
    const bool more = co_await fill();
    watched_.idle = false;
    if (!more) co_return give_up();
  }
  first_ = false;
  head_scanner scanner;
  auto scan = [&] {
    if (!skipped) skipped = skip_empty_line();
    return scanner.scan({buffer_.get(), end_});
  };
  auto scanned = scan();
  if (scanned == head_scanner::outcome::incomplete) {
    arm(limits_.header_timeout_ms);
    while (scanned == head_scanner::outcome::incomplete && end_ < limits_.header_bytes_max) {
      const bool more = co_await fill();
      if (!more && watched_.expired)
        co_return co_await refuse(codes::request_timeout, "The headers did not arrive in time");
      if (!more) co_return give_up();
      scanned = scan();
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
  request_parser::take_minor_version(buffer_.get(), head_size_);
  parser_.emplace(ctx_, limits_.header_count_max);
  if (auto bad = parser_->parse_head({buffer_.get(), head_size_})) co_return co_await refuse(*bad);
  co_return co_await dispatch();
}

void connection::compact() {
  std::memmove(buffer_.get(), buffer_.get() + at_, end_ - at_);
  end_ -= at_;
  at_ = head_size_ = 0;
}

// A route's own bound, else what its schema can be, where that is less than any body's.
std::uint64_t connection::bytes_max_of(const route& r) const {
  if (r.body_bytes_max != 0) return r.body_bytes_max;
  const std::uint64_t any = limits_.body_bytes_max;
  return r.body_schema.empty() ? any
                               : std::min(any, shard_.options.schemas->bytes_max(r.body_schema));
}

struct connection::body_guard {
  connection& of;
  ~body_guard() { of.release_body(); }
};

// Whoever looks whether this server lives has to see it while others ask too much, and other nodes
// may stand behind one address.
bool connection::is_rationed() const {
  if (ctx_.path == "/healthz" || ctx_.path == "/readyz") return false;
  return !shard_.options.authenticator || !shard_.options.authenticator->is_of_node(ctx_);
}

asio::awaitable<bool> connection::dispatch() {
  ctx_.peer = of_node_ ? peer_ : shard_.options.proxies.client_of(peer_, ctx_);
  take_request_id();
  head_only_ = ctx_.verb == verb::head;
  ctx_.openai_errors = is_openai_path(ctx_.path);
  if (of_node_) co_return co_await admit_node();
  // Only nodes say it, and at their own door: whoever says it here tries something.
  if (ctx_.has_header(relayed_header))
    co_return co_await refuse(codes::request_malformed, "Soma-Caller is not for clients to say");
  // HTTP/1.0 has no Host. No browser speaks it, so a page that seems to ask is not believed.
  const bool no_host = parser_->is_http10() && !ctx_.has_header("Host");
  if (no_host && ctx_.has_header("Origin"))
    co_return co_await refuse(codes::origin_refused, "The page that asks is of a foreign origin");
  if (!no_host)
    if (auto bad = shard_.options.guard.check(parser_->host(), ctx_))
      co_return co_await refuse(*bad);
  if (lacks_tls_) {
    auto answer = to_tls();
    co_return co_await finish(std::move(answer));
  }
  if (ctx_.verb == verb::options && ctx_.path == "*") {
    response answer(204);
    answer.headers.emplace_back("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    co_return co_await finish(std::move(answer));
  }
  if (const auto origin = ctx_.header("Origin"); shard_.options.guard.shares_with(origin)) {
    shared_with_ = origin;
    if (ctx_.verb == verb::options && ctx_.has_header("Access-Control-Request-Method")) {
      auto answer = preflight();
      co_return co_await finish(std::move(answer));
    }
  }
  // Behind what a page's browser asks by itself, so that the page may read why it is refused.
  if (is_rationed()) of_address_ = shard_.rates.of_address(ctx_.peer);
  if (of_address_ && !of_address_->is_allowed) co_return co_await refuse(refusal_of(*of_address_));
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
  if (r.auth != app::access::anyone)
    if (auto bad = co_await authenticate(r)) co_return co_await decline(*bad);
  of_caller_ = shard_.rates.of_caller(ctx_.caller);
  if (of_caller_ && !of_caller_->is_allowed) co_return co_await decline(refusal_of(*of_caller_));
  co_return co_await carry_out(r);
}

// The node that sent it on has looked at all that a client's request is looked at for, but for what
// its owner judges: who it is, what it is about, whether it may.
asio::awaitable<bool> connection::admit_node() {
  const auto match = shard_.routes.find(ctx_);
  if (match.outcome != router::outcome::found)
    co_return co_await refuse(codes::route_not_found, "No such path");
  const route& r = *match.route;
  ctx_.operation_id = r.operation_id;
  auto who = shard_.options.authenticator
                 ? shard_.options.authenticator->relayed(ctx_)
                 : result<app::caller>(error(codes::auth_required, "No sign-in is configured"));
  if (!who) co_return co_await refuse(who.error());
  ctx_.caller = std::move(*who);
  ctx_.of_node = true;
  if (!lets_in(r.auth, ctx_.caller.role))
    co_return co_await refuse(codes::auth_forbidden, "The caller's role does not allow this");
  co_return co_await carry_out(r);
}

asio::awaitable<bool> connection::carry_out(const route& r) {
  // What nobody in particular may make this server read is rationed.
  if (ctx_.caller.role == app::role::anonymous && r.body != body_mode::none &&
      !shard_.strangers.take(ctx_.peer))
    co_return co_await refuse(stranger_buckets::refusal());
  ctx_.caller.request_id = ctx_.request_id;
  ctx_.caller.trace_id = ctx_.trace_id();
  ctx_.caller.parent_span_id = ctx_.parent_span_id();
  ctx_.caller.io_thread = ctx_.io_thread;
  body_bytes_max_ = bytes_max_of(r);
  body_is_secret_ = r.body_is_secret;
  const body_guard guard{*this};
  if (auto bad = co_await take_body(r)) co_return co_await refuse(*bad);
  if (!r.body_schema.empty() && !(r.body_optional && ctx_.body.empty())) {
    auto bad = co_await check_body(r);
    if (bad) co_return co_await decline(bad->why, bad->members);
  }
  response answer = co_await call(r);
  co_return co_await finish(std::move(answer));
}

void connection::take_request_id() {
  const auto given = ctx_.header("X-Request-ID");
  if (is_request_id(given))
    ctx_.request_id = given;
  else
    ctx_.request_id = shard_.ids.next();
}

asio::awaitable<std::optional<error>> connection::authenticate(const route& r) {
  if (!shard_.options.authenticator)
    co_return error(codes::auth_required, "This server has no sign-in configured");
  auto who = co_await shard_.options.authenticator->authenticate(ctx_, r.auth);
  if (!who) {
    if (r.auth == app::access::optional && who.error().code == codes::auth_required)
      co_return std::nullopt;
    if (who.error().code == codes::auth_invalid || who.error().code == codes::ticket_invalid)
      shard_.options.authenticator->refused(ctx_, who.error());
    co_return who.error();
  }
  ctx_.caller = std::move(*who);
  if (!lets_in(r.auth, ctx_.caller.role)) {
    error why(codes::auth_forbidden, "The caller's role does not allow this");
    shard_.options.authenticator->refused(ctx_, why);
    co_return why;
  }
  if (ctx_.caller.role == app::role::internal && shard_.options.tls &&
      shard_.options.tls->wants_clients() && !ctx_.has_certificate) {
    error why(codes::auth_forbidden, "Internal routes need a certificate of the caller");
    shard_.options.authenticator->refused(ctx_, why);
    co_return why;
  }
  co_return std::nullopt;
}

response connection::preflight() {
  response answer(204);
  answer.headers.emplace_back("Access-Control-Allow-Methods",
                              "GET, HEAD, POST, PUT, PATCH, DELETE");
  answer.headers.emplace_back("Access-Control-Allow-Headers",
                              "Authorization, Content-Type, Idempotency-Key, If-Match, "
                              "If-None-Match, Last-Event-ID, Range, Soma-Position, "
                              "X-Request-ID, traceparent");
  answer.headers.emplace_back("Access-Control-Max-Age", "600");
  return answer;
}

response connection::to_tls() const {
  const bool looks = ctx_.verb == verb::get || ctx_.verb == verb::head;
  response answer =
      problem({codes::request_tls_required, "This server is spoken to over TLS"}, ctx_);
  if (shard_.options.redirects_plain && looks && !parser_->host().empty()) {
    answer = response(308);
    auto to = "https://" + std::string(parser_->host()) + std::string(ctx_.path);
    if (!ctx_.query.empty()) to.append("?").append(ctx_.query);
    answer.headers.emplace_back("Location", std::move(to));
  }
  answer.close = true;
  return answer;
}

asio::awaitable<response> connection::call(const route& r) {
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

asio::awaitable<void> serve_connection(io_shard& shard, asio::ip::tcp::socket socket,
                                       connection_slot slot) {
  connection c(shard, std::move(socket), std::move(slot));
  co_await c.run();
}

asio::awaitable<void> serve_node(io_shard& shard, asio::ip::tcp::socket socket,
                                 connection_slot slot) {
  connection c(shard, std::move(socket), std::move(slot), true);
  co_await c.run();
}

}  // namespace soma::http
