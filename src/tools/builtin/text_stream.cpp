#include "tools/builtin/text_stream.hpp"

#include "core/utf8.hpp"

namespace soma::tools {

std::string valid_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const auto length = utf8_sequence_length(bytes);
    if (length == 0)
      out += "\xef\xbf\xbd";
    else
      out += bytes.substr(0, length);
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string text_stream::feed(std::string_view bytes) {
  rest_ += bytes;
  const auto whole = utf8_complete_prefix(rest_);
  auto text = valid_utf8(std::string_view(rest_).substr(0, whole));
  rest_.erase(0, whole);
  return text;
}

std::string text_stream::finish() {
  auto text = valid_utf8(rest_);
  rest_.clear();
  return text;
}

}  // namespace soma::tools
