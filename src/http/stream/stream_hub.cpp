#include "http/stream/stream_hub.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "core/chunked.hpp"
#include "core/time.hpp"
#include "http/stream/sse_frame.hpp"

namespace soma::http {
namespace {

using clock = std::chrono::steady_clock;

// After a drain this long as much time again is others', at most the second: requests and their
// answers go between, and what they add is gathered into one write a reader.
constexpr std::chrono::microseconds drain_is_long{500};
constexpr std::chrono::milliseconds rest_max{20};

constexpr int unsent_bytes_max = 128 * 1024;  // in the kernel, of one stream

// A heartbeat an hour late is no heartbeat: small writes go at once, a peer that acknowledges
// nothing is given up with the stalled ones, and the kernel buffers little for who reads slowly.
void prepare(client_socket& client, std::uint32_t stall_ms) {
  const int fd = client.socket().native_handle();
  auto set = [fd](int option, int value) {
    ::setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value);
  };
  set(TCP_NODELAY, 1);
  set(TCP_NOTSENT_LOWAT, unsent_bytes_max);
  set(TCP_USER_TIMEOUT, static_cast<int>(stall_ms));
}

}  // namespace

stream_hub::stream_hub(boost::asio::io_context& io, unsigned thread, feed_registry& registry,
                       const app::log_reader& log, app::lane& lane, const sse_options& options)
    : io_(io),
      thread_(thread),
      registry_(registry),
      log_(log),
      lane_(lane),
      options_(options),
      tick_ms_(std::clamp(options.heartbeat_ms / 15, 5u, 1000u)),
      timer_(io),
      rest_timer_(io),
      now_ms_(clock_ms()),
      jitter_(std::random_device{}()) {
  registry_.wakers().set_waker(thread_, [this] { boost::asio::post(io_, [this] { wake(); }); });
  timer_.expires_after(std::chrono::milliseconds(tick_ms_));
  arm_timer();
}

stream_hub::~stream_hub() {
  registry_.wakers().set_waker(thread_, nullptr);
}

void stream_hub::open(client_socket socket, const stream_request& request, connection_slot slot) {
  if (ties_.is_gone(request.owner) || is_unseen(request)) return;  // the socket closes
  prepare(socket, options_.stall_ms);
  hub_feed& entry = join(request);
  auto stream =
      std::make_shared<sse_stream>(*this, entry, std::move(socket), request, std::move(slot));
  stream->slot = entry.streams.size();
  entry.streams.push_back(stream);
  ++counters_.open;
  ++counters_.opened;
  stream->start(preface(request));
}

hub_feed& stream_hub::join(const stream_request& request) {
  auto feed = registry_.acquire(request.key);
  hub_feed& entry = feeds_[feed.get()];
  if (!entry.feed) {
    entry.feed = std::move(feed);
    entry.feed->attach(thread_);  // before anything of it is read
    entry.seen_seq = entry.feed->marks().head_seq;
  }
  return entry;
}

std::string stream_hub::preface(const stream_request& request) {
  std::uniform_int_distribution<unsigned> retry(options_.retry_min_ms, options_.retry_max_ms);
  auto out = retry_block(retry(jitter_));
  if (request.start.reset)
    out += stream_reset_frame(request.key.session, soma::now_ms(), request.start.from);
  if (request.start.position) out += position_block(*request.start.position);
  out += request.snapshot;
  return request.response_head + (request.chunked ? as_chunks(out) : out);
}

void stream_hub::wake() {
  if (rests_) return;
  if (clock::now() >= rested_at_) return drain_feeds();
  rests_ = true;
  rest_timer_.expires_at(rested_at_);
  rest_timer_.async_wait([this](boost::system::error_code failure) {
    if (failure) return;
    rests_ = false;
    drain_feeds();
  });
}

void stream_hub::drain_feeds() {
  const auto begin = clock::now();
  for (const auto& feed : registry_.wakers().take(thread_)) {
    feed->drain(thread_);
    const auto it = feeds_.find(feed.get());
    if (it != feeds_.end()) drain_feed(it->second);
  }
  const auto end = clock::now();
  if (end - begin >= drain_is_long)
    rested_at_ = end + std::min<clock::duration>(end - begin, rest_max);
}

// Frames are copied out of the ring once for all streams that stand where the last drain ended; a
// stream that stands elsewhere looks for itself.
void stream_hub::drain_feed(hub_feed& entry) {
  for (;;) {
    batch_.clear();
    const feed_marks marks = entry.feed->copy_after(entry.seen_seq, options_.gather_frames,
                                                    options_.gather_bytes, batch_);
    if (batch_.empty()) {
      const bool at_head = entry.seen_seq == marks.head_seq && marks.end == feed_end::open;
      entry.seen_seq = marks.head_seq;
      if (!at_head || marks.first_seq > marks.head_seq)
        for (const auto& stream : entry.streams) stream->pump();
      break;
    }
    entry.seen_seq = batch_.back().id.seq;
    for (const auto& stream : entry.streams) stream->deliver(batch_);
  }
  batch_.clear();
}

shared_bytes stream_hub::heartbeat(hub_feed& entry) {
  if (!entry.heartbeat || entry.heartbeat_tick != ticks_) {
    entry.heartbeat = std::make_shared<const std::string>(
        as_chunks(heartbeat_frame(shown_id(entry.feed->key().session), soma::now_ms())));
    entry.heartbeat_tick = ticks_;
  }
  ++counters_.heartbeats;
  return entry.heartbeat;
}

void stream_hub::read(std::shared_ptr<sse_stream> stream, chunk_request request) {
  if (reads_ < options_.reads_max) return start_read(stream, std::move(request));
  const auto turn = app::turn_of(request.key.tenant);
  waiting_reads_.push(turn, {stream, std::move(request)});
}

void stream_hub::start_read(std::weak_ptr<sse_stream> stream, chunk_request request) {
  ++reads_;
  ++counters_.chunks;
  const auto turn = app::turn_of(request.key.tenant);
  lane_.post(turn, [this, request = std::move(request), stream = std::move(stream)] {
    boost::asio::post(io_, [this, stream, chunk = read_chunk(log_, request)]() mutable {
      on_chunk(stream, std::move(chunk));
    });
  });
}

void stream_hub::on_chunk(const std::weak_ptr<sse_stream>& stream, log_chunk chunk) {
  --reads_;
  while (!waiting_reads_.empty() && reads_ < options_.reads_max) {
    waiting_read next = waiting_reads_.pop();
    const auto waiting = next.stream.lock();
    if (waiting && !waiting->closed()) start_read(next.stream, std::move(next.request));
  }
  if (const auto alive = stream.lock()) alive->on_chunk(std::move(chunk));
}

void stream_hub::arm_timer() {
  timer_.async_wait([this](boost::system::error_code failure) {
    if (failure) return;
    tick();
    timer_.expires_at(std::max(timer_.expiry() + std::chrono::milliseconds(tick_ms_),
                               std::chrono::steady_clock::now()));
    arm_timer();
  });
}

void stream_hub::tick() {
  ++ticks_;
  now_ms_ = clock_ms();
  const auto wall_ms = soma::now_ms();
  for (auto& [feed, entry] : feeds_)
    for (const auto& stream : entry.streams) stream->tick(now_ms_, wall_ms);
  ties_.tick(ticks_ * tick_ms_, wall_ms);
  while (!changed_.empty() && ticks_ * tick_ms_ - changed_.front().at_ms > changed_kept_ms)
    changed_.pop_front();
  if (thread_ == 0) registry_.sweep(soma::now_ms());
}

void stream_hub::end_with(const stream_owner& gone) {
  boost::asio::post(io_, [this, gone] { cut_streams_of(gone); });
}

void stream_hub::cut_streams_of(const stream_owner& gone) {
  ties_.cut(gone, ticks_ * tick_ms_);
  for (auto& [feed, entry] : feeds_)
    for (const auto& stream : entry.streams)
      if (!stream->closed() && stream->owner().goes_with(gone)) stream->close();
}

void stream_hub::end_unseen(const session_key& key, session_audience now) {
  boost::asio::post(io_, [this, key, now = std::move(now)] { cut_unseen(key, now); });
}

void stream_hub::cut_unseen(const session_key& key, session_audience now) {
  if (const auto feed = registry_.find(key))
    if (const auto it = feeds_.find(feed.get()); it != feeds_.end())
      for (const auto& stream : it->second.streams)
        if (!stream->closed() && !now.has(stream->owner())) stream->close();
  if (changed_.size() == changed_max) changed_.pop_front();
  changed_.push_back({key, std::move(now), ticks_ * tick_ms_});
}

bool stream_hub::is_unseen(const stream_request& request) const {
  const auto last = std::find_if(changed_.rbegin(), changed_.rend(),
                                 [&](const changed_sight& one) { return one.key == request.key; });
  return last != changed_.rend() && !last->now.has(request.owner);
}

void stream_hub::drain(std::function<void()> done) {
  draining_ = true;
  drained_ = std::move(done);
  for (auto& [feed, entry] : feeds_)
    for (const auto& stream : entry.streams) stream->pump();
  boost::asio::post(io_, [this] { reap(); });
}

void stream_hub::close_all() {
  for (auto& [feed, entry] : feeds_)
    for (const auto& stream : entry.streams) stream->close();
}

// Closing happens in the middle of walks over the streams: they are taken out afterwards.
void stream_hub::remove(sse_stream& stream) {
  --counters_.open;
  if (closed_.empty()) boost::asio::post(io_, [this] { reap(); });
  closed_.push_back(stream.shared_from_this());
}

void stream_hub::reap() {
  for (const auto& stream : std::exchange(closed_, {})) {
    hub_feed& entry = stream->feed();
    auto& streams = entry.streams;
    streams[stream->slot] = streams.back();
    streams[stream->slot]->slot = stream->slot;
    streams.pop_back();
    if (!streams.empty()) continue;
    entry.feed->detach(thread_);
    feeds_.erase(entry.feed.get());
  }
  if (drained_ && feeds_.empty()) std::exchange(drained_, nullptr)();
}

std::uint32_t stream_hub::clock_ms() const {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

}  // namespace soma::http
