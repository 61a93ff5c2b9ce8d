#include "sse_client.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "clock.hpp"

namespace soma::bench {

sse_reader::sse_reader(sse_group& group, std::uint16_t port, std::string request, id_form form)
    : group_(group), fd_(connect_loopback(port)), unsent_(std::move(request)), order_(form) {
  group_.loop.add(fd_.get(), EPOLLIN | EPOLLOUT, *this);
}

sse_reader::~sse_reader() {
  close();
}

void sse_reader::close() {
  if (!fd_) return;
  group_.loop.remove(fd_.get());
  fd_.reset();
}

void sse_reader::on_ready(std::uint32_t events) {
  if (fd_ && (events & EPOLLOUT) && !unsent_.empty()) send_request();
  if (fd_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) receive();
}

void sse_reader::send_request() {
  const auto n = ::send(fd_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
  if (n < 0) {
    if (errno != EAGAIN) fail(std::strerror(errno));
    return;
  }
  unsent_.erase(0, static_cast<std::size_t>(n));
  if (!unsent_.empty()) return;
  unsent_.shrink_to_fit();
  group_.loop.modify(fd_.get(), EPOLLIN, *this);
}

void sse_reader::receive() {
  char* const buffer = group_.buffer.data();
  const std::size_t kept = tail_.size();
  if (kept * 2 > group_.buffer.size()) return fail("a frame larger than the read buffer");
  std::memcpy(buffer, tail_.data(), kept);
  const auto n = ::recv(fd_.get(), buffer + kept, group_.buffer.size() - kept, 0);
  if (n < 0) {
    if (errno != EAGAIN) fail(std::strerror(errno));
    return;
  }
  if (n == 0) return fail("the server ended the stream");
  auto fresh = static_cast<std::size_t>(n);
  if (!in_body_) {
    const auto head = take_head(buffer, kept + fresh);
    if (!in_body_) return;
    fresh = kept + fresh - head;
    std::memmove(buffer, buffer + head, fresh);
    tail_.clear();
  }
  const std::size_t before = tail_.size();
  if (chunked_) fresh = chunks_.strip(buffer + before, fresh);
  group_.bytes += fresh;
  take_frames({buffer, before + fresh});
  if (fd_ && chunked_ && chunks_.finished()) fail("the server ended the stream");
}

// Returns the head's size once it is whole and good, and then in_body_ is set.
std::size_t sse_reader::take_head(char* data, std::size_t size) {
  const auto head = parse_http_head({data, size});
  if (head.size == 0) {
    tail_.assign(data, size);
    return 0;
  }
  if (head.status != 200) {
    fail("stream refused: " + std::string(data, std::min<std::size_t>(size, 400)));
    return 0;
  }
  in_body_ = true;
  chunked_ = head.chunked;
  return head.size;
}

void sse_reader::take_frames(std::string_view text) {
  const auto used = scan_frames(text, [&](const sse_frame& frame) {
    if (!ready_) {
      ready_ = true;
      ++group_.ready;
    }
    order_.see(frame);
    if (!frame.has_data) return;
    if (!frame.id.empty()) ++group_.events;
    if (group_.on_event) group_.on_event(*this, frame);
  });
  tail_.assign(text.substr(used));
}

void sse_reader::fail(std::string why) {
  ++group_.failed;
  if (group_.first_failure.empty()) group_.first_failure = std::move(why);
  close();
}

sse_crowd::sse_crowd(event_loop& loop, std::uint16_t port, std::string request, id_form form)
    : group_(loop), port_(port), request_(std::move(request)), form_(form) {}

void sse_crowd::open(std::size_t readers, std::int64_t limit_ns) {
  constexpr std::size_t batch = 256;
  const auto deadline = now_ns() + limit_ns;
  const auto wanted = readers_.size() + readers;
  readers_.reserve(wanted);
  while (readers_.size() < wanted) {
    for (std::size_t i = 0; i < batch && readers_.size() < wanted; ++i) {
      readers_.push_back(std::make_unique<sse_reader>(group_, port_, request_, form_));
    }
    group_.loop.run_until(deadline - now_ns(),
                          [&] { return group_.failed > 0 || group_.ready == readers_.size(); });
    if (group_.failed > 0 || group_.ready < readers_.size()) {
      throw std::runtime_error(std::to_string(group_.ready) + " of " + std::to_string(wanted) +
                               " readers began; " + group_.first_failure);
    }
  }
}

std::uint64_t sse_crowd::gaps() const {
  std::uint64_t sum = 0;
  for (const auto& r : readers_) sum += r->order().gaps();
  return sum;
}

std::uint64_t sse_crowd::repeats() const {
  std::uint64_t sum = 0;
  for (const auto& r : readers_) sum += r->order().repeats();
  return sum;
}

std::uint64_t sse_crowd::least_events() const {
  std::uint64_t least = UINT64_MAX;
  for (const auto& r : readers_) least = std::min(least, r->order().events());
  return readers_.empty() ? 0 : least;
}

}  // namespace soma::bench
