#include "http/stream/sse_stream.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/chunked.hpp"
#include "core/time.hpp"
#include "http/stream/sse_frame.hpp"
#include "http/stream/stream_hub.hpp"

namespace soma::http {
namespace {

constexpr std::size_t trim_above_bytes = 16 * 1024;   // less than this is not worth a second read
constexpr std::uint32_t input_bytes_max = 64 * 1024;  // a reader has nothing to say
constexpr std::uint32_t linger_ms = 5'000;

iovec part(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

// Where the frame that `offset` lies in ends; a frame's data is one line, so the mark ends it.
std::size_t frame_end(const std::string& bytes, std::size_t offset, bool chunked) {
  if (offset == 0) return 0;
  const std::string_view mark = chunked ? "\n\n\r\n" : "\n\n";
  const std::size_t end = bytes.find(mark, offset - std::min(offset, mark.size()));
  return end == std::string::npos ? bytes.size() : end + mark.size();
}

// The seq in "id: E.S\n…" at `offset`; 0 when there is none.
std::uint64_t seq_at(const std::string& bytes, std::size_t offset, bool chunked) {
  if (chunked) offset += chunk_head_bytes;
  if (offset > bytes.size()) return 0;
  if (bytes.compare(offset, 4, "id: ") != 0) return 0;
  const std::size_t dot = bytes.find('.', offset);
  std::uint64_t seq = 0;
  if (dot != std::string::npos)
    std::from_chars(bytes.data() + dot + 1, bytes.data() + bytes.size(), seq);
  return seq;
}

}  // namespace

sse_stream::sse_stream(stream_hub& hub, hub_feed& feed, client_socket socket,
                       const stream_request& request, connection_slot slot)
    : hub_(hub),
      feed_(feed),
      connection_(std::move(slot)),
      socket_(std::move(socket)),
      place_(request.place),
      owner_(request.owner),
      cursor_(request.start.cursor),
      compact_seq_(request.compact ? request.compact_seq : 0),
      types_(request.types),
      compact_(request.compact),
      ephemeral_(request.ephemeral),
      chunked_(request.chunked) {}

void sse_stream::start(std::string preface) {
  written_at_ms_ = hub_.now_ms();
  watch_peer();
  hold(std::make_shared<const std::string>(std::move(preface)), 0);
  pump();
}

void sse_stream::pump() {
  while (!closed_ && !blocked_ && !finished_) {
    if (!socket_.flush()) return wait_writable();
    if (rest_) {
      if (!send_rest()) return;
    } else if (owes_last_chunk_) {
      owes_last_chunk_ = false;
      hold(std::make_shared<const std::string>(last_chunk), 0);
    } else if (ending_) {
      return finish();
    } else if (reading_ || !take()) {
      return;
    }
  }
}

// True when something changed and pump() should look again.
bool sse_stream::take() {
  auto& frames = hub_.scratch();
  frames.clear();
  const feed_marks marks = feed_.feed->copy_after(cursor_, hub_.options().gather_frames,
                                                  hub_.options().gather_bytes, frames);
  if (!frames.empty()) return send_frames(frames), true;
  if (!ephemeral_ && cursor_ + 1 < marks.first_seq) return end_with("reset"), true;
  const bool at_head = marks.head_known && cursor_ >= marks.head_seq;
  if (marks.end == feed_end::deleted && (at_head || !ephemeral_)) return end_with("deleted"), true;
  if (marks.end == feed_end::owner_lost || (at_head && hub_.draining())) return ending_ = true;
  if (at_head || (ephemeral_ && !marks.head_known)) return hub_.draining() && (ending_ = true);
  if (ephemeral_) {
    ++hub_.counters().overrun;
    close();
    return false;
  }
  ask_for_chunk(marks);
  return false;
}

void sse_stream::ask_for_chunk(const feed_marks& marks) {
  reading_ = true;
  chunk_request request;
  request.key = feed_.feed->key();
  request.after_seq = cursor_;
  request.head_seq = marks.head_known ? marks.head_seq : 0;
  request.types = types_;
  request.compact = compact_;
  request.chunked = chunked_;
  request.bytes_max = hub_.options().chunk_bytes;
  hub_.read(shared_from_this(), std::move(request));
}

void sse_stream::on_chunk(log_chunk chunk) {
  reading_ = false;
  if (closed_) return;
  switch (chunk.what) {
    case log_chunk::outcome::reset: end_with("reset"); break;
    case log_chunk::outcome::deleted: end_with("deleted"); break;
    case log_chunk::outcome::gap: ++hub_.counters().gaps; return close();
    case log_chunk::outcome::failed: ++hub_.counters().read_failures; return close();
    case log_chunk::outcome::frames:
      if (chunk.at_end) feed_.feed->learn(chunk.reached_seq, chunk.first_seq);
      cursor_ = chunk.reached_seq;
      owes_position_ = false;
      if (chunk.closes) end_whole();
      hub_.counters().frames += chunk.frames;
      if (!chunk.bytes.empty()) {
        hold(std::make_shared<const std::string>(std::move(chunk.bytes)), 0);
        rest_is_chunk_ = true;
        hub_.retain(rest_->size());
      }
  }
  pump();
}

void sse_stream::deliver(std::span<const feed_frame> frames) {
  if (!up_to_date() || cursor_ + 1 < frames.front().id.seq) return pump();
  const std::uint64_t known = cursor_ + 1 - frames.front().id.seq;
  if (known < frames.size()) send_frames(frames.subspan(known));
  if (ending_ || rest_) pump();
}

bool sse_stream::passes(const feed_frame& frame) const {
  const bool fleeting =
      frame.type == event_type::llm_delta || frame.type == event_type::tool_progress;
  if (fleeting && frame.id.seq < compact_seq_) return false;
  return types_ == 0 || (types_ >> static_cast<unsigned>(frame.type) & 1) != 0;
}

void sse_stream::send_frames(std::span<const feed_frame> frames) {
  std::array<iovec, 64> parts;
  std::size_t count = 0;
  std::size_t seen = 0;
  for (const feed_frame& frame : frames) {
    if (count == parts.size()) break;
    ++seen;
    if (passes(frame)) parts[count++] = part(bytes_of(frame));
    if (frame.type == event_type::session_close) break;
  }
  ssize_t sent = 0;
  if (count > 0) {
    sent = socket_.write_some({parts.data(), count});
    if (sent == client_socket::broken) return close();
    ++hub_.counters().writes;
    if (sent > 0) {
      hub_.counters().bytes += static_cast<std::uint64_t>(sent);
      written_at_ms_ = hub_.now_ms();
    }
  }
  accept_frames(frames.first(seen), sent < 0 ? 0 : static_cast<std::size_t>(sent));
}

// Moves the cursor over what the kernel took; of a frame taken in part the rest is held.
void sse_stream::accept_frames(std::span<const feed_frame> frames, std::size_t sent) {
  for (const feed_frame& frame : frames) {
    if (passes(frame)) {
      if (sent == 0) return wait_writable();
      owes_position_ = false;
      ++hub_.counters().frames;
      const auto bytes = bytes_of(frame);
      const std::size_t taken = std::min(sent, bytes.size());
      if (taken < bytes.size()) {
        if (chunked_)
          hold(frame.bytes, taken);
        else
          hold(std::make_shared<const std::string>(bytes.substr(taken)), 0);
      }
      sent -= taken;
    } else {
      owes_position_ = true;
    }
    cursor_ = frame.id.seq;
    epoch_ = frame.id.epoch;
    if (frame.type == event_type::session_close) end_whole();
    if (rest_) return wait_writable();
  }
}

// Behind what is still to be sent, which is little: a heartbeat that the socket took in part.
void sse_stream::hold(shared_bytes bytes, std::size_t offset) {
  if (rest_) {
    if (rest_is_chunk_) hub_.release(rest_->size());
    bytes =
        std::make_shared<const std::string>(rest_->substr(rest_offset_) + bytes->substr(offset));
    offset = 0;
  }
  rest_ = std::move(bytes);
  rest_offset_ = offset;
  rest_is_chunk_ = false;
}

// True when all of it is gone.
bool sse_stream::send_rest() {
  while (rest_offset_ < rest_->size()) {
    iovec one = part(std::string_view(*rest_).substr(rest_offset_));
    const ssize_t sent = socket_.write_some({&one, 1});
    if (sent == client_socket::broken) return close(), false;
    ++hub_.counters().writes;
    if (sent <= 0) {
      if (hub_.over_budget()) let_go_of_chunk();
      return wait_writable(), false;
    }
    hub_.counters().bytes += static_cast<std::uint64_t>(sent);
    rest_offset_ += static_cast<std::size_t>(sent);
    written_at_ms_ = hub_.now_ms();
  }
  if (rest_is_chunk_) hub_.release(rest_->size());
  rest_is_chunk_ = false;
  rest_.reset();
  return true;
}

// A reader that is slow with a chunk goes back to reading the log: of the chunk only the frame
// under way is kept, and the cursor returns to before the next.
void sse_stream::let_go_of_chunk() {
  if (!rest_is_chunk_ || rest_->size() - rest_offset_ < trim_above_bytes) return;
  const std::size_t end = frame_end(*rest_, rest_offset_, chunked_);
  if (end >= rest_->size()) return;
  const std::uint64_t next = seq_at(*rest_, end, chunked_);
  if (next == 0) return;
  hub_.release(rest_->size());
  cursor_ = next - 1;
  ending_ = owes_last_chunk_ = false;
  if (end == rest_offset_) {
    rest_.reset();
    rest_is_chunk_ = false;
  } else {
    auto piece = std::make_shared<const std::string>(*rest_, rest_offset_, end - rest_offset_);
    rest_.reset();
    rest_is_chunk_ = false;
    hold(std::move(piece), 0);
  }
}

void sse_stream::tick(std::uint32_t now_ms, std::int64_t wall_ms) {
  if (closed_) return;
  if (owner_.expires_at_ms != 0 && wall_ms >= owner_.expires_at_ms) return close();
  const std::uint32_t silent_ms = now_ms - written_at_ms_;
  if (finished_) {
    if (silent_ms >= linger_ms) close();
    return;
  }
  if (blocked_) {
    if (silent_ms >= hub_.options().stall_ms) {
      ++hub_.counters().stalled;
      return close();
    }
    if (silent_ms >= 2 * hub_.tick_ms()) let_go_of_chunk();
    return;
  }
  if (rest_ || ending_) return;
  // Also while a chunk is on its way: a slow disk must not look like a dead server.
  if (owes_position_) {
    owes_position_ = false;
    return send_at_once(encoded(position_block({epoch_, cursor_})));
  }
  // Both times are of ticks, the earlier one rounded down: this is never late.
  if (silent_ms + hub_.tick_ms() / 2 >= hub_.options().heartbeat_ms)
    send_at_once(chunked_
                     ? hub_.heartbeat(feed_)
                     : std::make_shared<const std::string>(chunk_content(*hub_.heartbeat(feed_))));
}

void sse_stream::send_at_once(shared_bytes bytes) {
  hold(std::move(bytes), 0);
  pump();
}

void sse_stream::end_whole() {
  ending_ = true;
  owes_last_chunk_ = chunked_;
}

void sse_stream::end_with(std::string_view reason) {
  end_whole();
  hold(encoded(session_close_frame(feed_.feed->key().session, soma::now_ms(), reason)), 0);
}

std::string_view sse_stream::bytes_of(const feed_frame& frame) const {
  return chunked_ ? std::string_view(*frame.bytes) : chunk_content(*frame.bytes);
}

shared_bytes sse_stream::encoded(std::string text) const {
  return std::make_shared<const std::string>(chunked_ ? as_chunks(text) : std::move(text));
}

// Closing with unread input would reset the connection and take the last frames with it: the peer
// closes first, or time does.
void sse_stream::finish() {
  finished_ = true;
  written_at_ms_ = hub_.now_ms();
  socket_.shutdown_send();
}

void sse_stream::close() {
  if (closed_) return;
  closed_ = true;
  if (rest_ && rest_is_chunk_) hub_.release(rest_->size());
  rest_.reset();
  socket_.close();
  hub_.remove(*this);
}

void sse_stream::wait_writable() {
  if (blocked_ || closed_) return;
  blocked_ = true;
  auto go_on = [self = shared_from_this()](boost::system::error_code failure) {
    self->blocked_ = false;
    if (!failure) self->pump();
  };
  socket_.socket().async_wait(boost::asio::socket_base::wait_write, std::move(go_on));
}

void sse_stream::watch_peer() {
  auto look = [self = shared_from_this()](boost::system::error_code failure) {
    if (self->closed_) return;
    if (failure || !self->discard_input()) return self->close();
    self->watch_peer();
  };
  socket_.socket().async_wait(boost::asio::socket_base::wait_read, std::move(look));
}

// False when the peer is gone, or talks where it should listen.
bool sse_stream::discard_input() {
  std::array<char, 512> bytes;
  for (;;) {
    const ssize_t got = socket_.read_now(bytes);
    if (got == client_socket::would_block) return true;
    if (got <= 0) return false;
    input_bytes_ += static_cast<std::uint32_t>(got);
    if (input_bytes_ > input_bytes_max) return false;
  }
}

}  // namespace soma::http
