// One HTTP request to an address that was judged, without following a redirect. Blocks;
// thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "tools/egress/url_guard.hpp"

namespace soma::tools {

using header_list = std::vector<std::pair<std::string, std::string>>;

struct web_request {
  std::string method = "GET";
  header_list headers;
  std::string body;
  std::size_t body_bytes_max = 4u << 20;  // of the answer; more is cut
  std::chrono::steady_clock::time_point deadline;
  std::function<bool()> given_up;  // asked from time to time
};

struct web_answer {
  int status = 0;
  header_list headers;  // names in lower case
  std::string body;
  bool truncated = false;

  std::string header(std::string_view name) const;  // the first; empty where there is none
};

// Errors: tool.timeout, tool.cancelled, policy.denied (the connection would have gone elsewhere),
// tool.failed for all else, with libcurl's own words.
result<web_answer> ask_web(const judged_url& where, const web_request& what,
                           const std::function<bool(const ip_address&)>& allowed);

}  // namespace soma::tools
