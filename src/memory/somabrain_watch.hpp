// What SomaBrain says of itself: a thread that asks /health now and then. The status of the answer
// says nothing, it is always 200; its body does.
//
// Thread-safe. Its end waits for a call under way, which ends within a second. Has connections of
// its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "core/secret.hpp"
#include "outbox/http_client.hpp"

namespace soma::memory {

struct brain_health {
  bool known = false;  // it was asked
  bool ok = false;
  std::string why;  // it is not, in a sentence
};

// Pure. Names of components that it gives are told, a few of them, and nothing else of its texts.
brain_health read_health(const outbox::http_answer& got);

class somabrain_watch {
 public:
  // `base`, `token`: as http_client has them.
  somabrain_watch(std::string base, secret_string token, std::int64_t every_ms);
  ~somabrain_watch();
  somabrain_watch(const somabrain_watch&) = delete;

  brain_health now() const;  // does not block

 private:
  static constexpr std::int64_t deadline_ms = 5000;
  static constexpr std::size_t answer_bytes_max = 256 * 1024;
  void run();

  outbox::http_client http_;
  const std::int64_t every_ms_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  brain_health now_;
  std::thread thread_;  // the last
};

}  // namespace soma::memory
