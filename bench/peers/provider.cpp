#include "peers/provider.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "clock.hpp"

namespace soma::bench {
namespace {

constexpr std::string_view head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string chunked(const std::string& event) {
  char size[32];
  std::snprintf(size, sizeof size, "%zx\r\n", event.size());
  return size + event + "\r\n";
}

std::string stamped(std::int64_t now) {
  return "data: "
         "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"t\":" +
         std::to_string(now) +
         ",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word "
         "\"},\"finish_reason\":null}]}\n\n";
}

const std::string last_chunks =
    chunked(
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","
        "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n") +
    chunked("data: [DONE]\n\n") + "0\r\n\r\n";

// The size of the request at the front of `text`; 0: not whole yet.
std::size_t request_size(std::string_view text) {
  const auto end = text.find("\r\n\r\n");
  if (end == text.npos) return 0;
  std::string lower(text.substr(0, end));
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const auto at = lower.find("content-length:");
  const std::size_t body =
      at == lower.npos ? 0 : std::strtoull(lower.c_str() + at + 15, nullptr, 10);
  return text.size() >= end + 4 + body ? end + 4 + body : 0;
}

}  // namespace

class stamping_provider::caller : public event_loop::handler {
 public:
  caller(stamping_provider& owner, unique_fd fd) : owner_(owner), fd_(std::move(fd)) {
    owner_.loop_.add(fd_.get(), EPOLLIN, *this);
  }
  ~caller() override { close(); }

  bool gone() const { return !fd_; }

  void on_ready(std::uint32_t) override {
    char piece[16384];
    const auto n = ::recv(fd_.get(), piece, sizeof piece, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return close();
    unread_.append(piece, static_cast<std::size_t>(n));
    const auto size = request_size(unread_);
    if (size == 0) return;
    unread_.erase(0, size);
    send(head);
    left_ = owner_.pace_.chunks;
    due_ns_ = now_ns();
  }

  // When the next chunk is due; 0: nothing is.
  std::int64_t pump(std::int64_t now) {
    if (!fd_ || due_ns_ == 0) return 0;
    if (now >= due_ns_) {
      if (left_ > 0) {
        --left_;
        send(chunked(stamped(now_ns())));
        due_ns_ += owner_.pace_.gap_ns;
      } else {
        due_ns_ = 0;
        send(last_chunks);
      }
    }
    return due_ns_;
  }

 private:
  void send(std::string_view bytes) {
    if (fd_) (void)::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  void close() {
    if (!fd_) return;
    owner_.loop_.remove(fd_.get());
    fd_.reset();
  }

  stamping_provider& owner_;
  unique_fd fd_;
  std::string unread_;
  std::size_t left_ = 0;
  std::int64_t due_ns_ = 0;
};

stamping_provider::stamping_provider(event_loop& loop, pace how)
    : loop_(loop), pace_(how), listener_(listen_loopback(port_)) {
  loop_.add(listener_.get(), EPOLLIN, *this);
}

stamping_provider::~stamping_provider() {
  loop_.remove(listener_.get());
}

void stamping_provider::on_ready(std::uint32_t) {
  for (;;) {
    unique_fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) return;
    const int on = 1;  // a chunk must not wait for the last one's acknowledgement
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    callers_.push_back(std::make_unique<caller>(*this, std::move(fd)));
  }
}

std::int64_t stamping_provider::pump(std::int64_t now) {
  std::erase_if(callers_, [](const auto& c) { return c->gone(); });
  std::int64_t next = now + ns_per_ms;
  for (auto& c : callers_)
    if (const auto due = c->pump(now); due > 0) next = std::min(next, due);
  return next;
}

}  // namespace soma::bench
