// One HTTP request to a server, and what comes back. Of the loop's thread; libcurl fills the inbox,
// and whoever owns the exchange empties it outside of libcurl.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/sse_parser.hpp"
#include "tools/mcp/loop.hpp"
#include "tools/mcp/server_settings.hpp"

struct curl_slist;

namespace soma::tools::mcp {

struct exchange_request {
  std::uint64_t id = 0;  // of the message that waits for it; 0: none
  bool listens = false;  // a stream that belongs to no message
  std::string body;      // empty: GET
  std::vector<std::pair<std::string, std::string>> headers;
};

class http_exchange {
 public:
  struct hooks {
    std::function<void()> on_bytes;  // the inbox is no longer empty, or the headers are there
    std::function<void(int code)> on_end;
  };
  http_exchange(const http_settings& what, loop& on, exchange_request request, hooks tell);
  ~http_exchange();
  http_exchange(const http_exchange&) = delete;
  http_exchange& operator=(const http_exchange&) = delete;

  const exchange_request& request() const { return request_; }
  int status() const { return status_; }
  bool is_events() const { return content_type_.starts_with("text/event-stream"); }
  // Whatever is none shows when it is read.
  bool is_json() const {
    return content_type_.find("json") != std::string::npos || content_type_.empty() ||
           content_type_.starts_with("text/plain");
  }
  bool succeeded() const { return status_ >= 200 && status_ < 300; }
  const std::string& session_id() const { return session_id_; }
  std::string take_inbox() { return std::exchange(inbox_, {}); }
  const std::string& inbox() const { return inbox_; }
  sse_parser& events() { return events_; }
  // Why it failed, for a person; of libcurl's code.
  std::string why(int code) const;

 private:
  friend struct curl_callbacks;
  void add_header(const std::string& line);

  loop& loop_;
  const exchange_request request_;
  const hooks tell_;
  const bool allow_private_;
  CURL* handle_;
  curl_slist* headers_ = nullptr;
  int status_ = 0;
  std::string content_type_, session_id_, inbox_;
  sse_parser events_;
  std::size_t header_bytes_ = 0;
  bool elsewhere_ = false, too_long_ = false;
};

}  // namespace soma::tools::mcp
