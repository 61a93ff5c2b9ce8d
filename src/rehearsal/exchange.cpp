#include "rehearsal/exchange.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>

#include "rehearsal/wire.hpp"

namespace soma::rehearsal {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);

// One answer on its way out. Every step returns false when the stream is over: the client is gone,
// or the fault has struck. What goes out stands in `out_` first: g++ 12 destroys a string made
// inside a co_await twice.
class exchange {
 public:
  exchange(tcp::socket& socket, const conversation& asked, bool failing, bool keep_alive)
      : socket_(socket),
        asked_(asked),
        said_(make_answer(asked)),
        chunks_(asked),
        timer_(socket.get_executor()),
        failing_(failing && asked.how.fault != fault_kind::none),
        keep_alive_(keep_alive) {}

  asio::awaitable<bool> stream() {
    out_ = stream_head(keep_alive_);
    if (!co_await write(out_)) co_return false;
    out_ = chunks_.role();
    if (!co_await send()) co_return false;
    if (asked_.prefix.empty()) {
      if (!co_await say_thinking()) co_return false;
    }
    if (!co_await say_text()) co_return false;
    if (!co_await say_calls()) co_return false;
    out_ = chunks_.finish(said_.calls.empty() ? "stop" : "tool_calls");
    if (!co_await send()) co_return false;
    if (asked_.include_usage) {
      out_ = chunks_.usage(said_);
      if (!co_await send()) co_return false;
    }
    out_ = "data: [DONE]\n\n";
    if (!co_await send()) co_return false;
    const bool written = co_await write(last_chunk);
    co_return written&& keep_alive_;
  }

  asio::awaitable<bool> whole() {
    if (failing_) co_return co_await strike();
    co_await wait(asked_.how.first_delay_ms);
    const auto body = chunks_.completion(said_, rest_after(said_.text, asked_.prefix));
    out_ = response(200, body, keep_alive_);
    const bool written = co_await write(out_);
    co_return written&& keep_alive_;
  }

  asio::awaitable<bool> hang() {
    std::array<char, 64> ignored;
    while (true) {
      auto [ec, n] = co_await socket_.async_read_some(asio::buffer(ignored), use_tuple);
      if (ec) co_return false;
    }
  }

 private:
  asio::awaitable<bool> say_thinking() {
    std::string_view rest = said_.thinking;
    while (!rest.empty()) {
      co_await pace();
      const auto piece = next_piece(rest, asked_.how.chunk_bytes);
      out_ = chunks_.thinking(piece);
      if (!co_await send()) co_return false;
    }
    co_return true;
  }

  asio::awaitable<bool> say_text() {
    auto rest = rest_after(said_.text, asked_.prefix);
    std::uint64_t sent = 0;
    while (true) {
      if (failing_ && sent >= asked_.how.fault_at) co_return co_await strike();
      if (rest.empty()) co_return true;
      co_await pace();
      const auto limit = failing_ ? piece_limit(asked_.how.fault_at - sent) : piece_limit(0);
      const auto piece = next_piece(rest, limit);
      sent += piece.size();
      out_ = chunks_.text(piece);
      if (!co_await send()) co_return false;
    }
  }

  // Whole words go out until the fault is near, so that it strikes at the very byte.
  std::size_t piece_limit(std::uint64_t bytes_to_fault) const {
    const std::size_t wanted = asked_.how.chunk_bytes;
    constexpr std::uint64_t near_bytes = 64;
    if (bytes_to_fault == 0 || bytes_to_fault > near_bytes) return wanted;
    const auto left = static_cast<std::size_t>(bytes_to_fault);
    return wanted == 0 ? std::min<std::size_t>(left, 8) : std::min(wanted, left);
  }

  asio::awaitable<bool> say_calls() {
    for (std::size_t i = 0; i < said_.calls.size(); ++i) {
      co_await pace();
      out_ = chunks_.call_head(i, said_.calls[i]);
      if (!co_await send()) co_return false;
    }
    for (std::size_t i = 0; i < said_.calls.size(); ++i) {
      std::string_view rest = said_.calls[i].inputs_json;
      while (!rest.empty()) {
        co_await pace();
        const auto bytes = std::max<std::size_t>(asked_.how.chunk_bytes, 12);
        const auto piece =
            next_piece(rest, asked_.how.chunk_bytes == 0 ? bytes : asked_.how.chunk_bytes);
        out_ = chunks_.call_arguments(i, piece);
        if (!co_await send()) co_return false;
      }
    }
    co_return true;
  }

  asio::awaitable<bool> strike() {
    switch (asked_.how.fault) {
      case fault_kind::reset: {
        boost::system::error_code ignored;
        socket_.set_option(tcp::socket::linger(true, 0), ignored);
        socket_.close(ignored);
        break;
      }
      case fault_kind::rubbish:
        out_ = "data: {\"choices\":[{\"del\n\ndata: rubbish\n\n";
        co_await send();
        break;
      case fault_kind::hang: co_await hang(); break;
      case fault_kind::error_event:
        out_ = "data: " + error_json("a scripted failure", "rehearsal") + "\n\n";
        co_await send();
        break;
      default: break;
    }
    co_return false;
  }

  asio::awaitable<void> pace() {
    const auto ms = first_ ? asked_.how.first_delay_ms : asked_.how.delay_ms;
    first_ = false;
    co_await wait(ms);
  }

  asio::awaitable<void> wait(std::uint32_t ms) {
    if (ms == 0) co_return;
    timer_.expires_after(std::chrono::milliseconds(ms));
    auto [ec] = co_await timer_.async_wait(use_tuple);
    (void)ec;
  }

  asio::awaitable<bool> send() {
    const std::string bytes = chunked(out_);
    const std::size_t step = asked_.how.chunk_bytes > 0 ? asked_.how.chunk_bytes : bytes.size();
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      const auto part = std::string_view(bytes).substr(at, step);
      if (!co_await write(part)) co_return false;
    }
    co_return true;
  }

  asio::awaitable<bool> write(std::string_view bytes) {
    auto [ec, n] = co_await asio::async_write(socket_, asio::buffer(bytes), use_tuple);
    co_return !ec;
  }

  tcp::socket& socket_;
  const conversation& asked_;
  answer said_;
  chunk_writer chunks_;
  asio::steady_timer timer_;
  std::string out_;
  bool failing_, keep_alive_, first_ = true;
};

asio::awaitable<bool> refuse(tcp::socket& socket, unsigned status, std::string_view why,
                             bool keep_alive, std::uint32_t retry_after_s = 0) {
  const auto bytes = error_response(status, why, keep_alive, retry_after_s);
  auto [ec, n] = co_await asio::async_write(socket, asio::buffer(bytes), use_tuple);
  co_return !ec && keep_alive;
}

}  // namespace

bool fault_counts::strike(const conversation& asked) {
  const auto& how = asked.how;
  if (how.fault == fault_kind::none && how.status == 0 && !how.hang_before) return false;
  if (!how.fault_times) return true;
  if (attempts_.size() >= conversations_max) attempts_.clear();
  auto& count = attempts_[asked.hash];
  if (count >= *how.fault_times) return false;
  ++count;
  return true;
}

asio::awaitable<bool> answer_chat(tcp::socket& socket, std::string_view body, bool keep_alive,
                                  fault_counts& faults) {
  const auto asked = parse_conversation(body);
  if (!asked) {
    const auto why = asked.error();
    co_return co_await refuse(socket, 400, why.detail, keep_alive);
  }
  const auto& how = asked->how;
  if (how.refuse_prefix && !asked->prefix.empty())
    co_return co_await refuse(socket, 400, "continue_final_message is not supported", keep_alive);
  const bool failing = faults.strike(*asked);
  if (failing && how.status > 0)
    co_return co_await refuse(socket, how.status, "a scripted status", keep_alive,
                              how.retry_after_s);
  exchange out(socket, *asked, failing, keep_alive);
  if (failing && how.hang_before) co_return co_await out.hang();
  // No conditional inside the co_await: g++ 12 destroys the chosen awaitable before it has run.
  if (asked->stream) co_return co_await out.stream();
  co_return co_await out.whole();
}

}  // namespace soma::rehearsal
