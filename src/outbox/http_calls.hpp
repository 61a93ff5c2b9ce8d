// JSON to a server that is configured, for callers that may not wait: a thread of its own carries
// many calls at once over connections that are kept. Otherwise as http_client, which is for threads
// that may wait.
//
// Thread-safe; nothing blocks but `stop` and the destructor, which end calls under way at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "core/may_block.hpp"
#include "core/secret.hpp"
#include "outbox/http_client.hpp"

namespace soma::outbox {

class http_calls {
 public:
  struct options {
    std::size_t answer_bytes_max = 1u << 20;
    std::size_t connections_max = 256;  // at once; more calls wait for one, within their deadline
    std::size_t idle_max = 16;          // connections and handles kept between calls
  };
  using told = std::function<void(http_answer)>;

  // `base` and `token` as http_client has them.
  http_calls(std::string base, secret_string token, options how);
  ~http_calls();
  http_calls(const http_calls&) = delete;

  // `done` is called once, on the thread of this and without blocking it; before `post` returns
  // where this was stopped.
  void post(std::string path, std::string json, std::int64_t deadline_ms, told done);

  // Calls under way and later ones are answered with why; nothing is called after it returns but by
  // `post` itself. Not from `done`.
  void stop();

 private:
  struct call;
  struct state;
  void run();
  void begin(std::unique_ptr<call> one);
  void end_done();
  void end_all();

  const std::string base_;
  const secret_string token_;
  const options options_;
  std::atomic<bool> stopped_{false};
  quick_mutex mutex_;
  std::deque<std::unique_ptr<call>> wanted_;
  const std::unique_ptr<state> state_;  // of the thread
  std::thread thread_;
};

}  // namespace soma::outbox
