#include "request_load.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "clock.hpp"

namespace soma::bench {

class request_load::connection : public event_loop::handler {
 public:
  connection(request_load& load, std::size_t index)
      : load_(load), index_(index), fd_(connect_loopback(load.options_.port)) {
    load_.loop_.add(fd_.get(), EPOLLIN, *this);
  }
  ~connection() override { close(); }

  bool open() const { return static_cast<bool>(fd_); }
  bool has_room() const { return open() && started_.size() < load_.options_.depth; }
  std::size_t index() const { return index_; }
  bool listed = false;  // stands in with_room_

  // False when the source has nothing to send.
  bool fill(std::int64_t now) {
    bool some = true;
    while (has_room()) {
      const auto start = load_.next_(index_, now, unsent_);
      if (start == nothing) {
        some = false;
        break;
      }
      started_.push_back(start);
      ++load_.under_way_;
    }
    flush();
    return some;
  }

  void on_ready(std::uint32_t events) override {
    if (fd_ && (events & EPOLLOUT)) flush();
    if (fd_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) receive();
  }

 private:
  void flush() {
    if (!fd_ || unsent_.empty()) return;
    const auto n = ::send(fd_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != ENOTCONN) return lose(std::strerror(errno));
    if (n > 0) unsent_.erase(0, static_cast<std::size_t>(n));
    if (waiting_to_write_ == !unsent_.empty()) return;
    waiting_to_write_ = !unsent_.empty();
    load_.loop_.modify(fd_.get(), waiting_to_write_ ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
  }

  void receive() {
    char piece[65536];
    const auto n = ::recv(fd_.get(), piece, sizeof piece, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return lose(n == 0 ? "the server closed the connection" : std::strerror(errno));
    std::string_view text(piece, static_cast<std::size_t>(n));
    if (!unread_.empty()) text = unread_.append(text);
    const auto now = now_ns();
    std::size_t used = 0;
    while (!started_.empty() && used < text.size()) {
      const auto rest = text.substr(used);
      const auto r = load_.options_.parse(rest);
      if (r.malformed) return lose("malformed answer: " + std::string(rest.substr(0, 200)));
      if (r.consumed == 0) break;
      used += r.consumed;
      load_.on_reply(*this, r, rest, now - started_.front());
      started_.pop_front();
      --load_.under_way_;
    }
    unread_ = std::string(text.substr(used));
    if (load_.held_ || fill(now) || listed) return;
    load_.with_room_.push_back(this);
    listed = true;
  }

  void lose(std::string why) {
    load_.under_way_ -= started_.size();
    load_.errors_ += started_.size();
    started_.clear();
    load_.fail(std::move(why));
    close();
  }

  void close() {
    if (!fd_) return;
    load_.loop_.remove(fd_.get());
    fd_.reset();
  }

  request_load& load_;
  std::size_t index_;
  unique_fd fd_;
  std::string unsent_, unread_;
  std::deque<std::int64_t> started_;
  bool waiting_to_write_ = false;
};

request_load::request_load(event_loop& loop, load_options options, source next, sink answered)
    : loop_(loop), options_(options), next_(std::move(next)), answered_(std::move(answered)) {
  for (std::size_t i = 0; i < options_.connections; ++i) {
    connections_.push_back(std::make_unique<connection>(*this, i));
    connections_.back()->listed = true;
    with_room_.push_back(connections_.back().get());
  }
}

request_load::~request_load() = default;

void request_load::pump(std::int64_t now) {
  if (held_) return;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < with_room_.size(); ++i) {
    auto* c = with_room_[i];
    c->listed = c->open() && !c->fill(now);
    if (c->listed) with_room_[kept++] = c;
  }
  with_room_.resize(kept);
}

bool request_load::drain(std::int64_t limit_ns) {
  held_ = true;
  const bool all = loop_.run_until(limit_ns, [&] { return under_way_ == 0; });
  held_ = false;
  for (auto& c : connections_) {
    if (c->listed || !c->has_room()) continue;
    with_room_.push_back(c.get());
    c->listed = true;
  }
  return all;
}

void request_load::clear_counts() {
  acks_ = 0;
  latency_.clear();
}

void request_load::on_reply(connection& c, const reply& r, std::string_view text,
                            std::int64_t latency_ns) {
  if (r.ok) {
    ++acks_;
    latency_.add(latency_ns);
  } else {
    ++errors_;
    fail(std::string(text.substr(0, std::min<std::size_t>(r.consumed, 600))));
  }
  if (answered_) answered_(c.index(), r);
}

void request_load::fail(std::string why) {
  if (first_error_.empty()) first_error_ = std::move(why);
}

}  // namespace soma::bench
