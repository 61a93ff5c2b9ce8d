// Takes off the content coding (RFC 9110, 8.4) that a proxy put on an answer, asked for or not:
// gzip, deflate (as zlib or raw), several of them, piece by piece. zlib is behind it. Owned by one
// stream.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace soma::llm {

class content_decoder {
 public:
  // False: no more is wanted. A few bytes can become very many.
  using on_bytes = std::function<bool(std::string_view bytes)>;

  // Of a Content-Encoding header; null for a coding that is not known (br, zstd). None at all, and
  // identity, hand on what they get.
  static std::unique_ptr<content_decoder> make(std::string_view content_encoding);

  virtual ~content_decoder() = default;
  // What of the content is known after `bytes`, in pieces of at most 64 KiB. False where they are
  // not of that coding, or no more was wanted; then it is not fed again.
  virtual bool feed(std::string_view bytes, const on_bytes& out) = 0;
};

}  // namespace soma::llm
