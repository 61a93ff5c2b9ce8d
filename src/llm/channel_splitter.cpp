#include "llm/channel_splitter.hpp"

#include <algorithm>
#include <array>

namespace soma::llm {
namespace {

constexpr std::string_view start = "<|start|>", channel = "<|channel|>", message = "<|message|>";
constexpr std::array<std::string_view, 5> ends{"<|end|>", "<|return|>", "<|call|>", start, channel};
// A header names a role, a channel and whom a call is for; what is longer is none.
constexpr std::size_t header_bytes_max = 512;

// How many bytes at the end of `text` could be the beginning of `mark`.
std::size_t begun_at_end(std::string_view text, std::string_view mark) {
  for (std::size_t n = std::min(text.size(), mark.size() - 1); n > 0; --n)
    if (text.ends_with(mark.substr(0, n))) return n;
  return 0;
}

}  // namespace

bool channel_splitter::begins(std::string_view text, bool& could_be) {
  could_be = could_be || start.starts_with(text) || channel.starts_with(text);
  return text.starts_with(start) || text.starts_with(channel);
}

void channel_splitter::push(std::string_view bytes, const on_part& part) {
  held_ += bytes;
  take(part, false);
}

void channel_splitter::flush(const on_part& part) {
  take(part, true);
}

bool channel_splitter::thinking() const {
  const auto at = header_.rfind(channel);
  if (at == header_.npos) return false;
  const auto named = std::string_view(header_).substr(at + channel.size());
  const bool to_somebody = header_.find(" to=") != header_.npos;
  return !named.starts_with("final") && (!named.starts_with("commentary") || to_somebody);
}

void channel_splitter::take(const on_part& part, bool last) {
  const auto give = [&](std::size_t bytes) {
    const std::string text = held_.substr(0, bytes);
    held_.erase(0, bytes);
    if (!text.empty()) part(text, thinking());
  };
  while (!held_.empty()) {
    if (!inside_) {
      const auto at = held_.find(message);
      if (at != held_.npos) {
        header_ = held_.substr(0, at);
        held_.erase(0, at + message.size());
        inside_ = true;
        continue;
      }
      if (held_.size() <= header_bytes_max && !last) return;
      // No header: text that somebody forgot to put into a channel. What is cut off says nothing.
      header_.clear();
      if (held_.find("<|") != held_.npos && held_.size() <= header_bytes_max) return held_.clear();
      return give(held_.size());
    }
    auto end = held_.npos;
    std::size_t begun = 0, size = 0;
    for (const auto mark : ends) {
      const auto at = held_.find(mark);
      if (at < end) {
        end = at;
        size = mark == start || mark == channel ? 0 : mark.size();  // those belong to the header
      }
      begun = std::max(begun, begun_at_end(held_, mark));
    }
    if (end == held_.npos) return give(held_.size() - (last ? 0 : begun));
    give(end);
    held_.erase(0, size);
    inside_ = false;
  }
}

}  // namespace soma::llm
