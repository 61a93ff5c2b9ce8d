// What a program asks a proxy for, and what the host behind it is asked in its place. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "tools/egress/url_guard.hpp"

namespace soma::tools {

struct proxy_request {
  std::string method, target;
  std::vector<std::pair<std::string, std::string>> headers;

  bool tunnel() const { return method == "CONNECT"; }
};

// The address that is asked for, to be judged. Error: tool.invalid_inputs where it is no request to
// a proxy.
result<std::string> address_of(const proxy_request& request);

// The request as its host gets it: its own form and Host, without what is said to a proxy or of a
// connection. It asks the host to close after it: what else comes goes to the same host as it is.
std::string head_for_host(const proxy_request& request, const judged_url& where);

}  // namespace soma::tools
