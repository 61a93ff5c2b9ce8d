// HTTP/1.1 as text: building requests, reading answers incrementally. Pure; no sockets.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace soma::bench {

struct http_request {
  std::string method = "GET";
  std::string target;
  std::string authorization;  // the header's value; empty: none
  std::string accept;         // likewise
  std::string body;           // JSON; sent with its length whenever the method is not GET
  bool close = false;
};

std::string to_text(const http_request& request);

struct reply {
  std::size_t consumed = 0;  // 0: not complete yet
  bool ok = false;           // 2xx, or for RESP anything but an error
  bool malformed = false;    // the connection cannot be used any more
  std::string_view body;     // points into the parsed text; whole only if not chunked
};

// Reads one answer from the front of `text`.
reply parse_http_reply(std::string_view text);

// The headers alone, for a body that never ends.
struct http_head {
  std::size_t size = 0;  // with the empty line; 0: not complete yet
  int status = 0;
  bool chunked = false;
  long content_length = -1;
};
http_head parse_http_head(std::string_view text);

// Cuts the framing of chunked transfer coding out of a stream, in place, piece by piece.
class dechunker {
 public:
  // Moves the payload within [data, data + size) to its front and returns its size.
  std::size_t strip(char* data, std::size_t size);
  bool finished() const { return state_ == state::end; }

 private:
  enum class state { size, size_line, payload, after_payload, end };
  state state_ = state::size;
  std::size_t left_ = 0;
};

// The text after `"key":"` up to the next quote; "" when absent. For answers whose ids need no
// unescaping.
std::string_view json_text(std::string_view json, std::string_view key);

}  // namespace soma::bench
