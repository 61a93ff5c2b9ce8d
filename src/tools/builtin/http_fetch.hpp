// http_fetch: {url, method? GET|HEAD|POST, headers?, body?, extract? text|none} → {status, url,
// content_type, headers, body, size_bytes, truncated, extracted}.
//
// Names are looked up once and the connection goes to the address that was judged; redirects are
// judged like the first address, five at most. The profile's egress names the hosts that may be
// reached; an empty one means every public host. What answers is not unpacked or parsed here: text
// is taken out of pages and documents in the sandbox.
#pragma once

#include <memory>

#include "tools/builtin/extractor.hpp"
#include "tools/egress/url_guard.hpp"
#include "tools/tool.hpp"

namespace soma::tools {

class worker_pool;

struct http_fetch_parts {  // outlive the tool
  worker_pool& workers;    // its own: a call keeps a thread as long as the host takes to answer
  extractor* reader = nullptr;  // null: no text is taken out
  url_rules rules{};            // `hosts` comes with each call
};

std::unique_ptr<tool> make_http_fetch(http_fetch_parts parts);

}  // namespace soma::tools
