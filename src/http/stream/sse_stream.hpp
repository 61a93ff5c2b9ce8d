// One reader of one feed: a socket, a cursor and a few flags, so that a parked reader costs little
// and a slow one no more than what is under way to it.
//
// Threads: lives on its hub's io thread and is touched by nothing else. Lifetime: shared between
// the hub and the handlers that wait on its socket; close() ends both. Only the hub makes streams.
//
// For HTTP/1.1 the body is chunked, each frame a chunk that all readers share. The last chunk is
// sent after the session's end alone: a server that stops, or an identity that is gone, cuts the
// body, so that clients that tell the two apart come again.
//
// It takes the frame after its cursor from the feed's ring, and what is not there from the log
// through the hub; never the two at once. The cursor moves when the kernel took a frame, or when
// the rest of it is held in `rest_`: so nothing is sent twice and nothing left out.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/session_feed.hpp"
#include "http/net/client_socket.hpp"
#include "http/net/connection_slot.hpp"
#include "http/stream/log_chunk.hpp"
#include "http/stream/stream_owner.hpp"
#include "http/stream/stream_plan.hpp"

namespace soma::http {

class stream_hub;
struct hub_feed;

struct stream_request {
  session_key key;
  stream_start start;
  std::uint32_t types = 0;  // parse_types; 0: all
  bool compact = false;
  std::uint64_t compact_seq = 0;  // below it, with `compact`, deltas and progress are left out
  std::string response_head;      // with its empty line
  bool chunked = false;           // the body is, as the head says
  // A stream without a log (the tenant's): `key` is tenant_feed_key, `start.cursor` the feed's head
  // from before the snapshot was taken, and `snapshot` the frames sent first. It is dropped when
  // the ring no longer holds its next frame. `feed` is kept until the stream is open: a cursor says
  // nothing about another feed.
  bool ephemeral = false;
  std::shared_ptr<session_feed> feed;
  std::string snapshot;
  stream_owner owner;           // whose stream it is
  std::shared_ptr<void> place;  // of its tenant's number; held until the stream ends
};

class sse_stream : public std::enable_shared_from_this<sse_stream> {
 public:
  sse_stream(stream_hub& hub, hub_feed& feed, client_socket socket, const stream_request& request,
             connection_slot slot);

  // `preface` goes out first: head, retry, and what the start needs.
  void start(std::string preface);
  // Sends what can be sent and arranges to be called again for the rest.
  void pump();
  // The same for frames just copied from the ring, once for all streams of a feed.
  void deliver(std::span<const feed_frame> frames);
  void on_chunk(log_chunk chunk);
  // About every second: heartbeat, position after filtered frames, stall, the identity's end.
  // `wall_ms`: since 1970.
  void tick(std::uint32_t now_ms, std::int64_t wall_ms);
  void close();

  bool closed() const { return closed_; }
  const stream_owner& owner() const { return owner_; }
  hub_feed& feed() { return feed_; }
  std::size_t slot = 0;  // where the hub keeps it

 private:
  bool up_to_date() const { return !closed_ && !blocked_ && !reading_ && !ending_ && !rest_; }
  bool take();
  void ask_for_chunk(const feed_marks& marks);
  void send_frames(std::span<const feed_frame> frames);
  void accept_frames(std::span<const feed_frame> frames, std::size_t sent);
  void hold(shared_bytes bytes, std::size_t offset);
  bool send_rest();
  void send_at_once(shared_bytes bytes);
  void end_whole();
  void end_with(std::string_view reason);
  void finish();
  void let_go_of_chunk();
  void wait_writable();
  void watch_peer();
  bool discard_input();
  std::string_view bytes_of(const feed_frame& frame) const;
  shared_bytes encoded(std::string text) const;
  bool passes(const feed_frame& frame) const;

  stream_hub& hub_;
  hub_feed& feed_;
  connection_slot connection_;  // one of the server's bounded number, while the socket lives
  client_socket socket_;
  const std::shared_ptr<void> place_;
  const stream_owner owner_;
  std::uint64_t cursor_;
  std::uint64_t compact_seq_;  // 0 unless compact
  shared_bytes rest_;          // being sent, from rest_offset_ on
  std::size_t rest_offset_ = 0;
  std::uint32_t types_;
  std::uint32_t epoch_ = 0;          // of the frame at cursor_, where known
  std::uint32_t written_at_ms_ = 0;  // last progress, on the hub's clock
  std::uint32_t input_bytes_ = 0;
  bool compact_ : 1, ephemeral_ : 1, chunked_ : 1;
  bool closed_ : 1 = false;
  bool blocked_ : 1 = false;          // the socket takes nothing; waiting for it
  bool reading_ : 1 = false;          // a chunk of the log is on its way
  bool ending_ : 1 = false;           // after rest_ comes the end,
  bool owes_last_chunk_ : 1 = false;  // and before it the chunk that says that all was sent
  bool finished_ : 1 = false;         // our side is shut down, the peer's not yet
  bool rest_is_chunk_ : 1 = false;    // several frames, held until sent
  bool owes_position_ : 1 = false;    // frames up to cursor_ were filtered out
};

}  // namespace soma::http
