#include "tools/builtin/text_stream.hpp"

#include <algorithm>

#include "core/json_writer.hpp"
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

std::string_view cut_text(std::string_view text, std::size_t bytes_max) {
  auto cut = text.substr(0, bytes_max);
  cut = cut.substr(0, utf8_complete_prefix(cut));
  while (json_escaped_size(cut) > bytes_max) {
    // Too long by what escapes add: take away so many bytes, of which each is one at least.
    const auto excess = json_escaped_size(cut) - bytes_max;
    cut = cut.substr(0, cut.size() - std::min(cut.size(), std::max<std::size_t>(1, excess / 6)));
    cut = cut.substr(0, utf8_complete_prefix(cut));
  }
  return cut;
}

}  // namespace soma::tools
