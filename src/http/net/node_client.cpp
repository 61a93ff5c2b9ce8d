#include "http/net/node_client.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <charconv>
#include <chrono>
#include <deque>
#include <optional>
#include <span>

#include "core/secret_json.hpp"
#include "http/net/ascii.hpp"
#include "http/net/client_socket.hpp"

namespace soma::http {
namespace {

namespace sys = boost::system;
namespace beast = boost::beast;
using asio::ip::tcp;
using steady = std::chrono::steady_clock;
using std::chrono::milliseconds;
constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);

constexpr std::size_t read_bytes = 32 * 1024;
constexpr int lives_asked_every_ms = 1'000;
// An answer up to this is taken whole, so that one that breaks off is not passed on.
constexpr std::uint64_t whole_bytes_max = 256 * 1024;
constexpr std::uint32_t head_bytes_max = 64 * 1024;

// What of an answer's head is the client's to know; the rest this node says for itself.
constexpr static_text passed_on[] = {
    "Accept-Ranges",
    "Allow",
    "Cache-Control",
    "Content-Disposition",
    "Content-Range",
    "Content-Type",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Retry-After",
    "Set-Cookie",
    "Soma-Not-Begun",
    "Soma-Position",
    "WWW-Authenticate",
    "X-Gateway-Model-Lock-Warning",
};
constexpr static_text policy_of_files = "default-src 'none'; sandbox; frame-ancestors 'none'";

class answer_parser final : public beast::http::basic_parser<false> {
 public:
  explicit answer_parser(bool head_only) {
    eager(true);
    skip(head_only);
    header_limit(head_bytes_max);
    body_limit(boost::none);  // passed on as it comes
  }

  // Bytes used; nothing where it is not HTTP.
  std::optional<std::size_t> take(std::string_view bytes) {
    beast::error_code ec;
    const auto used = put(asio::buffer(bytes.data(), bytes.size()), ec);
    if (ec && ec != beast::http::error::need_more) return std::nullopt;
    return used;
  }

  response head;
  std::string body;

 private:
  using string_view = beast::string_view;
  using error_code = beast::error_code;
  void on_request_impl(beast::http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int code, string_view, int, error_code&) override { head.status = code; }
  void on_field_impl(beast::http::field, string_view n, string_view v, error_code&) override {
    const std::string_view name(n.data(), n.size()), value(v.data(), v.size());
    if (iequals(name, "Content-Security-Policy") && value == std::string_view(policy_of_files))
      head.content_security_policy = policy_of_files;
    for (const auto& one : passed_on) {
      if (!iequals(name, one)) continue;
      if (iequals(name, "Content-Type")) head.content_type = {};
      if (iequals(name, "Cache-Control")) head.cache_control = {};
      head.headers.emplace_back(one, std::string(value));
    }
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view piece, error_code&) override {
    body.append(piece.data(), piece.size());
    return piece.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view piece, error_code&) override {
    body.append(piece.data(), piece.size());
    return piece.size();
  }
  void on_finish_impl(error_code&) override {}
};

// One connection, with the answer that comes over it.
struct exchange : std::enable_shared_from_this<exchange> {
  exchange(asio::io_context& io, std::string at, int silence)
      : socket(tcp::socket(io)), timer(io), door(std::move(at)), silence_ms(silence) {}

  void arm(int ms) {
    timer.expires_after(milliseconds(lives ? lives_asked_every_ms : ms));
    timer.async_wait([weak = weak_from_this(), ms](sys::error_code ec) {
      const auto self = weak.lock();
      if (!self || ec) return;
      if (self->lives && self->lives()) return self->arm(ms);
      self->socket.close();
    });
  }
  void disarm() { timer.cancel(); }

  asio::awaitable<bool> send(std::string_view bytes) {
    while (!bytes.empty() || !socket.flush()) {
      ssize_t sent = client_socket::would_block;
      if (!bytes.empty()) {
        iovec part{const_cast<char*>(bytes.data()), bytes.size()};
        sent = socket.is_open() ? socket.write_some({&part, 1}) : client_socket::broken;
      }
      if (sent == client_socket::broken) co_return false;
      if (sent == client_socket::would_block) {
        arm(silence_ms);
        const auto [failed] =
            co_await socket.socket().async_wait(asio::socket_base::wait_write, as_tuple);
        disarm();
        if (failed) co_return false;
        continue;
      }
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      sent_bytes += static_cast<std::uint64_t>(sent);
    }
    co_return true;
  }

  // Reads and parses some. False at the end, and for what is not HTTP.
  asio::awaitable<bool> read() {
    std::array<char, read_bytes> piece;
    const std::span<char> room(piece);
    arm(silence_ms);
    const auto got = co_await socket.read_some(room);
    disarm();
    if (got == 0) co_return false;
    unread.append(piece.data(), got);
    const auto used = parser->take(unread);
    if (!used) co_return false;
    unread.erase(0, *used);
    co_return true;
  }

  client_socket socket;
  asio::steady_timer timer;
  const std::string door;
  const int silence_ms;
  std::function<bool()> lives;  // while the answer has not begun
  std::optional<answer_parser> parser;
  std::string unread;
  std::uint64_t sent_bytes = 0;  // of this request
  steady::time_point idle_since{};
};

std::string chunk_of(std::string_view piece) {
  char size[20];
  const auto end = std::to_chars(size, size + 16, piece.size(), 16).ptr;
  std::string out(size, end);
  out.append("\r\n").append(piece).append("\r\n");
  return out;
}

}  // namespace

struct node_client::impl : std::enable_shared_from_this<impl> {
  impl(asio::io_context& i, node_client_options o) : io(i), options(std::move(o)) {}

  std::shared_ptr<exchange> take(const std::string& door) {
    const auto now = steady::now();
    while (!kept.empty() && now - kept.front()->idle_since > milliseconds(options.idle_ms))
      kept.pop_front();
    for (auto at = kept.rbegin(); at != kept.rend(); ++at) {
      if ((*at)->door != door) continue;
      auto found = *at;
      kept.erase(std::next(at).base());
      // What is closed was closed for its silence.
      if (found->socket.look() == client_socket::presence::silent) return found;
      return nullptr;
    }
    return nullptr;
  }

  void put(std::shared_ptr<exchange> one) {
    if (stopped || !one->unread.empty()) return;
    one->parser.reset();
    one->sent_bytes = 0;
    one->idle_since = steady::now();
    kept.push_back(std::move(one));
    if (kept.size() > options.idle_max) kept.pop_front();
  }

  asio::awaitable<std::shared_ptr<exchange>> connect(std::string door) {
    auto made = std::make_shared<exchange>(io, door, options.silence_ms);
    const auto colon = door.rfind(':');
    if (colon == std::string::npos || stopped) co_return nullptr;
    auto host = door.substr(0, colon);
    if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
    const auto port = door.substr(colon + 1);
    tcp::resolver resolver(io);
    made->arm(options.connect_ms);
    const auto until = steady::now() + milliseconds(options.connect_ms);
    const auto [unknown, found] = co_await resolver.async_resolve(host, port, as_tuple);
    if (unknown) co_return nullptr;
    // The timer closes the socket, and the next address would open it again, without a bound.
    const auto in_time = [until](const sys::error_code&, const tcp::endpoint&) {
      return steady::now() < until;
    };
    const auto [failed, at] =
        co_await asio::async_connect(made->socket.socket(), found, in_time, as_tuple);
    if (failed) co_return nullptr;
    sys::error_code ignored;
    made->socket.socket().non_blocking(true, ignored);
    made->socket.socket().set_option(tcp::no_delay(true), ignored);
    if (options.tls) {
      const bool good = co_await made->socket.connect_tls(options.tls);
      if (!good) co_return nullptr;
    }
    made->disarm();
    co_return made;
  }

  asio::io_context& io;
  const node_client_options options;
  std::deque<std::shared_ptr<exchange>> kept;  // idle, the longest first
  bool stopped = false;
};

namespace {

// The rest of a large answer.
asio::awaitable<bool> pass_on(std::shared_ptr<exchange> x,
                              std::function<void(std::shared_ptr<exchange>)> done,
                              response_stream& out) {
  for (;;) {
    if (!x->parser->body.empty()) {
      const auto piece = std::exchange(x->parser->body, {});
      const bool taken = co_await out.write(piece);
      if (!taken) co_return x->socket.close(), false;
    }
    if (x->parser->is_done()) break;
    const bool more = co_await x->read();
    if (!more) co_return false;  // the client sees that it is cut
  }
  if (x->parser->keep_alive()) done(x);
  co_return true;
}

}  // namespace

node_client::node_client(asio::io_context& io, node_client_options options)
    : impl_(std::make_shared<impl>(io, std::move(options))) {}

node_client::~node_client() {
  stop();
}

asio::io_context& node_client::context() const {
  return impl_->io;
}

void node_client::stop() {
  impl_->stopped = true;
  impl_->kept.clear();
}

asio::awaitable<handed_back> node_client::ask(handed_over what) {
  const auto self = impl_;
  handed_back out;
  auto x = self->take(what.door);
  if (!x) x = co_await self->connect(what.door);
  if (!x) {
    out.why = "the node at " + what.door + " cannot be reached";
    co_return out;
  }
  x->parser.emplace(what.method == "HEAD");
  std::string head = what.method + " " + what.target + " HTTP/1.1\r\nHost: " + what.door + "\r\n";
  head += what.fields;
  if (what.stream)
    head += "Transfer-Encoding: chunked\r\n";
  else if (!what.body.empty() || what.method == "POST" || what.method == "PUT")
    head += "Content-Length: " + std::to_string(what.body.size()) + "\r\n";
  head += "\r\n";
  if (what.body.size() <= read_bytes) head += std::exchange(what.body, {});
  bool sent = co_await x->send(head);
  // A kept connection that was closed meanwhile takes nothing.
  if (!sent && x->sent_bytes == 0) {
    if (what.secret) wipe(head.data(), head.size());
    out.why = "the node at " + what.door + " does not listen any more";
    co_return out;
  }
  out.how = hand_over::unknown;
  if (what.secret) wipe(head.data(), head.size());
  if (sent && !what.body.empty()) sent = co_await x->send(what.body);
  bool whole = !what.stream;
  while (sent && !whole) {
    // One that is refused is answered before it is all there.
    if (x->socket.look() != client_socket::presence::silent) break;
    auto piece = co_await what.stream->read_some();
    if (!piece) {
      out.body_failed = piece.error();
      x->socket.close();  // the other sees a body that is cut off, and keeps nothing of it
      co_return out;
    }
    whole = piece->empty();
    const auto chunk = whole ? std::string("0\r\n\r\n") : chunk_of(*piece);
    sent = co_await x->send(chunk);
  }
  // Also where it takes no more: it may have said why.
  x->lives = std::move(what.lives);
  while (!x->parser->is_header_done()) {
    const bool more = co_await x->read();
    if (more) continue;
    x->lives = nullptr;
    out.why = "the node at " + what.door + " broke off";
    co_return out;
  }
  x->lives = nullptr;
  const auto length = x->parser->content_length();
  const bool is_large = x->parser->chunked() || (length && *length > whole_bytes_max);
  const std::function<void(std::shared_ptr<exchange>)> done =
      [weak = std::weak_ptr<impl>(self), whole](std::shared_ptr<exchange> one) {
        if (const auto pool = weak.lock(); pool && whole) pool->put(std::move(one));
      };
  out.answer = std::move(x->parser->head);
  if (is_large && !x->parser->is_done()) {
    if (!x->parser->chunked()) out.answer.produced_bytes = *length;
    out.answer.produce = [x, done](response_stream& to) { return pass_on(x, done, to); };
  } else {
    while (!x->parser->is_done()) {
      const bool more = co_await x->read();
      if (more) continue;
      out.why = "the node at " + what.door + " broke off";
      out.answer = {};
      co_return out;
    }
    out.answer.body = std::move(x->parser->body);
    if (what.method == "HEAD" && length) {
      out.answer.produced_bytes = *length;
      out.answer.produce = [](response_stream&) -> asio::awaitable<bool> { co_return true; };
    }
    if (x->parser->keep_alive()) done(x);
  }
  out.how = hand_over::answered;
  co_return out;
}

}  // namespace soma::http
