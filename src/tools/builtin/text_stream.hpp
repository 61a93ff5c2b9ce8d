// Makes valid UTF-8 of bytes that come in pieces: what is invalid becomes U+FFFD, a code point cut
// by the end of a piece waits for the next. Not thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace soma::tools {

class text_stream {
 public:
  std::string feed(std::string_view bytes);
  std::string finish();

 private:
  std::string rest_;
};

std::string valid_utf8(std::string_view bytes);

}  // namespace soma::tools
