// One call by libcurl, as all of this house's calls to configured servers are made: certificates
// are verified, redirects are not followed, no proxy, a bound on the answer. Not thread-safe.
#pragma once

#include <curl/curl.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/secret.hpp"
#include "outbox/http_client.hpp"

namespace soma::outbox {

using header_fields = std::vector<std::pair<std::string, std::string>>;

class curl_call {
 public:
  // `stopped`: once it is true the call ends within a second. Outlives the call.
  curl_call(const std::atomic<bool>& stopped, std::size_t bytes_max)
      : stopped_(stopped), bytes_max_(bytes_max) {}
  curl_call(const curl_call&) = delete;

  // Readies the handle, whose connections stay. What is given here outlives the transfer. `body`:
  // null is a GET.
  void prepare(CURL* curl, const std::string& url, const std::string* body,
               const secret_string& token, const header_fields& headers, std::int64_t deadline_ms,
               const char* media_type = "application/json");

  http_answer take(CURL* curl, CURLcode how);

 private:
  static std::size_t on_body(char* bytes, std::size_t, std::size_t n, void* self);
  static std::size_t on_header(char* bytes, std::size_t, std::size_t n, void* self);
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t);

  struct list_deleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  const std::atomic<bool>& stopped_;
  const std::size_t bytes_max_;
  std::unique_ptr<curl_slist, list_deleter> lines_;
  http_answer answer_;
  bool too_long_ = false;
};

}  // namespace soma::outbox
