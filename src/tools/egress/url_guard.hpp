// Which addresses of the web a tool may ask for: http and https, hosts of everybody, written as
// they are. What is written otherwise than usual is refused rather than understood, since whoever
// connects in the end may understand it differently. Pure, but for the resolver that is given.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/ip_address.hpp"

struct Curl_URL;

namespace soma::tools {

// All addresses of a name; blocks. Never called for an address.
using name_resolver = std::function<result<std::vector<ip_address>>(const std::string& host)>;
name_resolver system_resolver();

struct url_rules {
  name_resolver resolve = system_resolver();
  // Other than by tests, never more than `is_public_host`.
  std::function<bool(const ip_address&)> allowed;
  std::vector<std::uint16_t> ports{80, 443};
  std::vector<std::string> hosts;  // "example.org" or "*.example.org"; empty: all
};

// is_public, without what a cloud's machines reach at public addresses.
bool is_public_host(const ip_address& address);

struct freeing_url {
  void operator()(Curl_URL* url) const;
};
using parsed_url = std::unique_ptr<Curl_URL, freeing_url>;

struct judged_url {
  parsed_url url;  // for libcurl, so that it need not read the text anew
  std::string text, host;
  std::uint16_t port = 0;
  std::vector<ip_address> addresses;  // the only ones to connect to
};

// `base`: what a relative address (of a redirect) is relative to; may be null. Error:
// policy.denied where it may not be asked for, tool.invalid_inputs where it is no address,
// tool.failed where the name has none.
result<judged_url> judge_url(const std::string& text, const judged_url* base,
                             const url_rules& rules);

}  // namespace soma::tools
