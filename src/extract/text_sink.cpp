#include "core/utf8.hpp"
#include "extract/extract.hpp"

namespace soma::extract {

void text_sink::add(std::string_view text) {
  if (truncated_) return;
  const auto room = bytes_max_ - text_.size();
  if (text.size() > room) {
    truncated_ = true;
    text = text.substr(0, room);
    text = text.substr(0, utf8_complete_prefix(text));
  }
  text_ += text;
}

void text_sink::end_line(int count) {
  if (text_.empty()) return;
  while (!text_.empty() && (text_.back() == ' ' || text_.back() == '\t')) text_.pop_back();
  int there = 0;
  for (auto at = text_.size(); at > 0 && text_[at - 1] == '\n'; --at) ++there;
  for (; there < count; ++there) add("\n");
}

void text_sink::space() {
  if (!text_.empty() && text_.back() != ' ' && text_.back() != '\n' && text_.back() != '\t')
    add(" ");
}

void text_sink::tab() {
  if (!text_.empty() && text_.back() == ' ') text_.pop_back();
  add("\t");
}

std::string text_sink::take() {
  std::string out;
  for (std::string_view rest(text_); !rest.empty();) {
    const auto length = utf8_sequence_length(rest);
    if (length == 0)
      out += "\xef\xbf\xbd";
    else if (rest[0] != '\0')
      out += rest.substr(0, length);
    rest.remove_prefix(length == 0 ? 1 : length);
  }
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ' || out.back() == '\t'))
    out.pop_back();
  return out;
}

}  // namespace soma::extract
