#include "http/sse_world.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <future>
#include <stdexcept>

namespace soma::http {
namespace {

constexpr int patience_ms = 30'000;

sockaddr_in address_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return address;
}

}  // namespace

session_key test_session(std::string name) {
  return {tenant_id{"t"}, session_id{std::move(name)}};
}

void eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("it did not happen");
    std::this_thread::yield();
  }
}

sse_client::~sse_client() {
  if (fd_ >= 0) ::close(fd_);
}

sse_client::sse_client(sse_client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      head_(std::move(other.head_)),
      chunks_(std::move(other.chunks_)),
      buffer_(std::move(other.buffer_)),
      at_(other.at_),
      chunked_(other.chunked_),
      whole_(other.whole_) {}

bool sse_client::fill() {
  if (at_ > 0) buffer_.erase(0, std::exchange(at_, 0));
  pollfd ready{fd_, POLLIN, 0};
  if (::poll(&ready, 1, patience_ms) != 1) throw std::runtime_error("the stream stands still");
  char bytes[16384];
  const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
  if (got <= 0) return false;
  (chunked_ ? chunks_ : buffer_).append(bytes, static_cast<std::size_t>(got));
  take_chunks();
  return true;
}

void sse_client::take_chunks() {
  while (chunked_) {
    const auto line = chunks_.find("\r\n");
    if (line == std::string::npos) return;
    const auto size = std::stoul(chunks_.substr(0, line), nullptr, 16);
    if (chunks_.size() < line + 2 + size + 2) return;
    if (chunks_.compare(line + 2 + size, 2, "\r\n") != 0)
      throw std::runtime_error("a chunk has no end where its size says");
    if (whole_) throw std::runtime_error("a chunk follows the last one");
    whole_ = size == 0;
    buffer_.append(chunks_, line + 2, size);
    chunks_.erase(0, line + 2 + size + 2);
  }
}

std::optional<sse_block> sse_client::next() {
  while (head_.empty()) {
    const auto end = buffer_.find("\r\n\r\n");
    if (end != std::string::npos) {
      head_ = buffer_.substr(0, end + 4);
      at_ = end + 4;
      chunked_ = head_.find("Transfer-Encoding: chunked") != std::string::npos;
      if (!chunked_) continue;
      chunks_ = buffer_.substr(std::exchange(at_, 0));
      buffer_.clear();
      take_chunks();
    } else if (!fill()) {
      return std::nullopt;
    }
  }
  std::size_t end;
  while ((end = buffer_.find("\n\n", at_)) == std::string::npos)
    if (!fill()) return std::nullopt;
  sse_block block;
  while (at_ <= end) {
    const std::size_t line_end = buffer_.find('\n', at_);
    const std::string line = buffer_.substr(at_, line_end - at_);
    at_ = line_end + 1;
    const auto colon = line.find(": ");
    if (colon == std::string::npos) throw std::runtime_error("not a field: " + line);
    std::string* field = line.starts_with("id:")      ? &block.id
                         : line.starts_with("event:") ? &block.event
                         : line.starts_with("data:")  ? &block.data
                         : line.starts_with("retry:") ? &block.retry
                                                      : nullptr;
    if (!field || !field->empty()) throw std::runtime_error("unexpected line: " + line);
    *field = line.substr(colon + 2);
  }
  ++at_;  // the empty line
  return block;
}

std::optional<sse_block> sse_client::next_event() {
  for (;;) {
    auto block = next();
    if (!block || (block->retry.empty() && block->event != "heartbeat")) return block;
  }
}

sse_world::sse_world(unsigned threads, const sse_options& options, const feed_limits& limits)
    : log_(storage::make_memory_event_log(7)),
      registry_(threads, limits),
      pool_(std::make_unique<app::lane>(2)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::bind(listener_, reinterpret_cast<sockaddr*>(&any), sizeof any);
  ::listen(listener_, 128);
  for (unsigned i = 0; i < threads; ++i) {
    auto t = std::make_unique<io_thread>();
    t->hub = std::make_unique<stream_hub>(t->io, i, registry_, *log_, *pool_, options);
    t->thread = std::thread([&io = t->io] {
      const auto guard = boost::asio::make_work_guard(io);
      io.run();
    });
    threads_.push_back(std::move(t));
  }
}

sse_world::~sse_world() {
  for (auto& t : threads_) t->io.stop();
  for (auto& t : threads_) t->thread.join();
  pool_.reset();
  threads_.clear();
  ::close(listener_);
}

void sse_world::run_on(unsigned thread, std::function<void()> task) {
  std::promise<void> done;
  boost::asio::post(threads_[thread]->io, [&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

void sse_world::commit_and_publish(storage::append_op op) {
  const storage::append_op ops[] = {op};
  const auto results = log_->commit(ops);
  if (!results[0]) throw std::runtime_error("append: " + results[0].error().detail);
  const auto feed = registry_.find(op.key);
  if (!feed) return;
  std::vector<feed_frame> frames;
  for (const auto& e : op.events)
    frames.push_back(make_feed_frame({log_->epoch(), e.seq}, e.type, e.json));
  feed->publish(frames, op.first_seq);
  if (op.remove) registry_.finish(op.key, feed_end::deleted);
}

std::uint64_t sse_world::append(const session_key& key, const new_events& events) {
  storage::append_op op;
  op.key = key;
  const auto head = log_->head(key);
  op.expected_seq = head ? head->seq : 0;
  std::uint64_t seq = op.expected_seq;
  for (const auto& [type, text] : events) {
    ++seq;
    op.events.push_back({seq, type, "{\"n\":" + std::to_string(seq) + ",\"s\":\"" + text + "\"}"});
  }
  commit_and_publish(std::move(op));
  return seq;
}

void sse_world::append_deltas(const session_key& key, std::size_t count, std::size_t size) {
  append(key, new_events(count, {event_type::llm_delta, std::string(size, 'x')}));
}

void sse_world::compact(const session_key& key, std::uint64_t compact_seq) {
  storage::append_op op;
  op.key = key;
  op.expected_seq = log_->head(key)->seq;
  op.compact_seq = compact_seq;
  commit_and_publish(std::move(op));
}

void sse_world::reset(const session_key& key) {
  storage::append_op op;
  op.key = key;
  op.expected_seq = log_->head(key)->seq;
  op.events.push_back({op.expected_seq + 1, event_type::session_close, R"({"reason":"reset"})"});
  op.events.push_back({op.expected_seq + 2, event_type::session_open, "{}"});
  op.first_seq = op.expected_seq + 2;
  commit_and_publish(std::move(op));
}

void sse_world::remove(const session_key& key) {
  storage::append_op op;
  op.key = key;
  op.expected_seq = log_->head(key)->seq;
  op.events.push_back({op.expected_seq + 1, event_type::session_close, R"({"reason":"deleted"})"});
  op.remove = true;
  commit_and_publish(std::move(op));
}

sse_client sse_world::open(stream_request request, unsigned thread, int receive_bytes) {
  std::lock_guard lock(connecting_);  // what is accepted must be what was connected
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_bytes > 0)
    ::setsockopt(client, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
  const sockaddr_in address = address_of(listener_);
  if (::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("connect");
  const int server = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (receive_bytes > 0)
    ::setsockopt(server, SOL_SOCKET, SO_SNDBUF, &receive_bytes, sizeof receive_bytes);
  if (request.response_head.empty())
    request.response_head = request.chunked
                                ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                : "HTTP/1.1 200 OK\r\n\r\n";
  io_thread& t = *threads_[thread];
  boost::asio::post(t.io, [&t, server, request = std::move(request)] {
    boost::asio::ip::tcp::socket socket(t.io, boost::asio::ip::tcp::v4(), server);
    t.hub->open(client_socket(std::move(socket)), request);
  });
  return sse_client(client);
}

sse_client sse_world::open_at(const session_key& key, std::optional<std::string> last_event_id,
                              unsigned thread, int receive_bytes) {
  stream_request request;
  request.key = key;
  request.chunked = true;
  const auto head = log_->head(key);
  request.start = *plan_stream(*head, last_event_id, std::nullopt);
  return open(std::move(request), thread, receive_bytes);
}

}  // namespace soma::http
