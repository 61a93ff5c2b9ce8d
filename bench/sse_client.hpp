// Readers of server-sent event streams, as many as wanted on one event_loop. A reader keeps only
// the unfinished tail of its stream; the read buffer is shared by all readers of a group.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "event_loop.hpp"
#include "http_text.hpp"
#include "sse_frame.hpp"

namespace soma::bench {

class sse_reader;

// What all readers of a run share: the buffer and the sums.
struct sse_group {
  explicit sse_group(event_loop& l) : loop(l), buffer(std::size_t{1} << 20) {}

  event_loop& loop;
  std::function<void(sse_reader&, const sse_frame&)> on_event;  // frames with data; may be empty
  std::uint64_t ready = 0;                                      // readers whose stream has begun
  std::uint64_t failed = 0;   // streams refused or ended by the server
  std::uint64_t events = 0;   // frames with an id and data, over all readers
  std::uint64_t bytes = 0;    // of the streams' bodies
  std::string first_failure;  // for the message to the user
  std::vector<char> buffer;
};

class sse_reader : public event_loop::handler {
 public:
  // Connects at once; `request` is the whole text of the GET (or POST) that opens the stream.
  sse_reader(sse_group& group, std::uint16_t port, std::string request, id_form form);
  ~sse_reader() override;

  void close();
  bool ready() const { return ready_; }
  const order_check& order() const { return order_; }
  std::size_t tag = 0;  // the owner's, to know a reader in on_event

  void on_ready(std::uint32_t epoll_events) override;

 private:
  void send_request();
  void receive();
  std::size_t take_head(char* data, std::size_t size);
  void take_frames(std::string_view text);
  void fail(std::string why);

  sse_group& group_;
  unique_fd fd_;
  std::string unsent_;
  std::string tail_;  // an unfinished head or frame
  order_check order_;
  dechunker chunks_;
  bool in_body_ = false, chunked_ = false, ready_ = false;
};

// The readers of one stream. Opens them some hundred at a time, so that no listen queue overflows.
class sse_crowd {
 public:
  sse_crowd(event_loop& loop, std::uint16_t port, std::string request, id_form form);

  // Throws std::runtime_error unless all of them have begun within the limit.
  void open(std::size_t readers, std::int64_t limit_ns);

  sse_group& group() { return group_; }
  std::size_t size() const { return readers_.size(); }
  std::uint64_t gaps() const;
  std::uint64_t repeats() const;
  std::uint64_t least_events() const;  // of the reader that has seen the fewest

 private:
  sse_group group_;
  std::uint16_t port_;
  std::string request_;
  id_form form_;
  std::vector<std::unique_ptr<sse_reader>> readers_;
};

}  // namespace soma::bench
