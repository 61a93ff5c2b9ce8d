// JSON to a server that is configured, and what it answers: for sinks, whose threads may wait.
// Connections are kept between calls; certificates are verified; redirects are not followed.
// Thread-safe; blocks. Not for addresses that a user or a model names (tools/egress).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/secret.hpp"

namespace soma::outbox {

struct http_answer {
  int status = 0;  // 0: there is none
  std::string body;
  std::int64_t retry_after_ms = -1;  // of Retry-After in seconds; -1: none
  std::string why;                   // there is none, in a sentence
};

class http_client {
 public:
  // `base`: scheme, host, port and perhaps a path, without a final slash. `token`: sent as a bearer
  // token; may be empty.
  // `ca_file`: of who signs its certificate; empty: those of the system.
  http_client(std::string base, secret_string token, std::string ca_file = {});
  ~http_client();

  // What is longer than `bytes_max` counts as no answer.
  http_answer post(const std::string& path, const std::string& json,
                   const std::vector<std::pair<std::string, std::string>>& headers,
                   std::int64_t deadline_ms, std::size_t bytes_max);

  // The same without a body.
  http_answer get(const std::string& path, std::int64_t deadline_ms, std::size_t bytes_max,
                  const std::vector<std::pair<std::string, std::string>>& headers = {});

  // A form, as OAuth's endpoints take it.
  http_answer post_form(const std::string& path, const std::string& form,
                        const std::vector<std::pair<std::string, std::string>>& headers,
                        std::int64_t deadline_ms, std::size_t bytes_max);

  // Calls under way end within a second, later ones at once. Any thread.
  void stop() { stopped_ = true; }

 private:
  struct handle;
  std::unique_ptr<handle> take();
  http_answer call(const std::string& path, const std::string* body, const char* media_type,
                   const std::vector<std::pair<std::string, std::string>>& headers,
                   std::int64_t deadline_ms, std::size_t bytes_max);

  const std::string base_;
  const secret_string token_;
  const std::string ca_file_;
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  std::vector<std::unique_ptr<handle>> idle_;
};

}  // namespace soma::outbox
