// How messages reach a server and come back: by a program's standard streams, or over HTTP.
//
// Threads: of the connections' one thread; every call returns at once. Lifetime: nothing is called
// once it is destroyed, which also ends what it has open.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tools/mcp/message.hpp"

namespace soma::tools::mcp {

struct request_failure {
  std::uint64_t id = 0;
  int http_status = 0;  // 0: there was no answer
  std::string body;     // of an answer that is no success
  std::string detail;   // for a person
};

struct transport_sink {
  std::function<void()> on_open;
  std::function<void(std::string_view json)> on_message;  // a line, a body, an event's data
  std::function<void(request_failure)> on_failed;         // one request will have no answer
  // Once; nothing comes afterwards. `last_words`: of a program, which may have said anything.
  std::function<void(std::string detail, std::string last_words)> on_closed;
  std::function<bool(std::uint64_t id)> waits;  // does anybody wait for this answer?
};

class transport {
 public:
  virtual ~transport() = default;
  virtual bool over_http() const = 0;
  // Tells `on_open` or `on_closed`, not before it is back.
  virtual void open(transport_sink sink) = 0;
  virtual void send(outgoing message) = 0;
  // Nobody waits for this any more. Over HTTP its request ends.
  virtual void abandon(std::uint64_t id) = 0;
  // The revision that was agreed on; over HTTP it is a header from now on.
  virtual void speak(std::string_view revision) = 0;
  // Listens for what the server says by itself, where the transport needs to be told.
  virtual void listen() {}
};

}  // namespace soma::tools::mcp
