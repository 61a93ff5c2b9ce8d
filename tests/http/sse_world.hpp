// A server of streams in small, for tests: a log in memory, feeds, io threads with a hub each, a
// reader pool, and loopback clients. Appends commit to the log first and publish then, as the event
// writer does.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "http/stream/stream_hub.hpp"
#include "storage/event_log.hpp"

namespace soma::http {

struct sse_block {  // what stands between two empty lines
  std::string id, event, data, retry;
};

class sse_client {
 public:
  explicit sse_client(int fd) : fd_(fd) {}
  ~sse_client();
  sse_client(sse_client&& other) noexcept;
  sse_client& operator=(sse_client&&) = delete;

  // The next block, or none at the end of the stream. Throws when neither comes.
  std::optional<sse_block> next();
  // The same without blocks of retry and heartbeats.
  std::optional<sse_block> next_event();
  const std::string& head() const { return head_; }
  // Whether the last chunk came: a chunked body without it was cut.
  bool ended_whole() const { return whole_; }

 private:
  bool fill();
  void take_chunks();

  int fd_;
  std::string head_, chunks_, buffer_;  // chunks_: not yet decoded
  std::size_t at_ = 0;
  bool chunked_ = false, whole_ = false;
};

class sse_world {
 public:
  using new_events = std::vector<std::pair<event_type, std::string>>;

  explicit sse_world(unsigned threads = 1, const sse_options& options = {},
                     const feed_limits& limits = {});
  ~sse_world();

  // One commit and one publish. The data of an event is {"n":<seq>,"s":<text>}.
  std::uint64_t append(const session_key& key, const new_events& events);
  void append_deltas(const session_key& key, std::size_t count, std::size_t size = 10);
  void compact(const session_key& key, std::uint64_t compact_seq);
  void reset(const session_key& key);
  void remove(const session_key& key);

  // A client whose receive buffer has the given size, if any, and its stream on that thread.
  sse_client open(stream_request request, unsigned thread = 0, int receive_bytes = 0);
  // The same, started as the route does it.
  sse_client open_at(const session_key& key, std::optional<std::string> last_event_id,
                     unsigned thread = 0, int receive_bytes = 0);

  stream_hub& hub(unsigned thread) { return *threads_[thread]->hub; }
  const sse_counters& counters(unsigned thread = 0) { return hub(thread).counters(); }
  void run_on(unsigned thread, std::function<void()> task);  // and waits for it
  feed_registry& registry() { return registry_; }
  storage::event_log& log() { return *log_; }

 private:
  struct io_thread {
    boost::asio::io_context io{1};
    std::unique_ptr<stream_hub> hub;
    std::thread thread;
  };

  void commit_and_publish(storage::append_op op);

  std::unique_ptr<storage::event_log> log_;
  feed_registry registry_;
  std::vector<std::unique_ptr<io_thread>> threads_;
  std::unique_ptr<app::lane> pool_;
  int listener_ = -1;
  std::mutex connecting_;
};

session_key test_session(std::string name = "s");
// Waits until it holds; throws when it does not come to hold.
void eventually(const std::function<bool()>& condition);

}  // namespace soma::http
