// Requests and answers over many keep-alive connections, HTTP or RESP: what publishes, appends and
// asks. A connection has at most `depth` requests under way; what to send next, and whether
// anything may be sent now, is decided by the source, so that one class serves closed loops, paced
// (open) loops and credit windows.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "event_loop.hpp"
#include "histogram.hpp"
#include "http_text.hpp"

namespace soma::bench {

struct load_options {
  std::uint16_t port = 0;
  std::size_t connections = 1;
  std::size_t depth = 1;  // > 1: pipelined
  reply (*parse)(std::string_view) = parse_http_reply;
};

class request_load {
 public:
  // Appends one request to `out` and returns the time its latency counts from (usually `now`), or
  // returns `nothing` to hold back until the next pump.
  using source =
      std::function<std::int64_t(std::size_t connection, std::int64_t now, std::string& out)>;
  using sink = std::function<void(std::size_t connection, const reply&)>;
  static constexpr std::int64_t nothing = -1;

  request_load(event_loop& loop, load_options options, source next, sink answered = {});
  ~request_load();

  // Sends on every connection that has room. Call it from each tick of the loop.
  void pump(std::int64_t now);

  // Holds back new requests and waits for the answers under way; false when some never came.
  bool drain(std::int64_t limit_ns);

  void clear_counts();
  std::uint64_t acks() const { return acks_; }      // good answers since clear_counts
  std::uint64_t errors() const { return errors_; }  // refused or lost since the beginning
  const std::string& first_error() const { return first_error_; }
  const histogram& latency() const { return latency_; }  // of good answers, ns

 private:
  class connection;
  void on_reply(connection& c, const reply& r, std::string_view text, std::int64_t now);
  void fail(std::string why);

  event_loop& loop_;
  load_options options_;
  source next_;
  sink answered_;
  bool held_ = false;
  std::uint64_t under_way_ = 0, acks_ = 0, errors_ = 0;
  std::string first_error_;
  histogram latency_;
  std::vector<std::unique_ptr<connection>> connections_;
  std::vector<connection*> with_room_;  // connections that may send
};

}  // namespace soma::bench
