#include "llm/thought_splitter.hpp"

#include <algorithm>
#include <array>

namespace soma::llm {
namespace {

struct tag_pair {
  std::string_view opening, closing;
};
constexpr std::array<tag_pair, 7> tags{{
    {"<think>", "</think>"},  // DeepSeek, Qwen and most others
    {"<thinking>", "</thinking>"},
    {"<thought>", "</thought>"},  // Gemini's compatible face
    {"<reasoning>", "</reasoning>"},
    {"<reason>", "</reason>"},
    {"<seed:think>", "</seed:think>"},
    {"[THINK]", "[/THINK]"},  // Mistral
}};
constexpr std::string_view white_space = " \t\r\n";

// How many bytes at the end of `text` could be the beginning of `tag`.
std::size_t beginning_at_end(std::string_view text, std::string_view tag) {
  for (std::size_t n = std::min(text.size(), tag.size() - 1); n > 0; --n)
    if (text.ends_with(tag.substr(0, n))) return n;
  return 0;
}

}  // namespace

void thought_splitter::push(std::string_view bytes, const on_part& part) {
  if (where_ == place::text) return part(bytes, false);
  held_ += bytes;
  take(part, false);
}

void thought_splitter::flush(const on_part& part) {
  take(part, true);
}

void thought_splitter::take(const on_part& part, bool last) {
  const auto give = [&](std::size_t bytes, bool thinking) {
    const std::string text = held_.substr(0, bytes);
    held_.erase(0, bytes);
    if (!text.empty()) part(text, thinking);
  };
  if (where_ == place::before) {
    const auto first = held_.find_first_not_of(white_space);
    const auto rest =
        first == held_.npos ? std::string_view() : std::string_view(held_).substr(first);
    bool could_be = rest.empty();
    for (const auto& tag : tags) {
      if (rest.starts_with(tag.opening)) {
        closing_ = tag.closing;
        held_.erase(0, first + tag.opening.size());
        where_ = place::inside;
        break;
      }
      could_be = could_be || tag.opening.starts_with(rest);
    }
    if (where_ == place::before && (!could_be || last)) where_ = place::text;
  }
  if (where_ == place::inside) {
    const auto end = held_.find(closing_);
    if (end == held_.npos) {
      give(held_.size() - (last ? 0 : beginning_at_end(held_, closing_)), true);
    } else {
      give(end, true);
      held_.erase(0, closing_.size());
      where_ = place::behind;
    }
  }
  if (where_ == place::behind) {  // the empty lines after it belong to the tag
    held_.erase(0, std::min(held_.find_first_not_of(white_space), held_.size()));
    if (!held_.empty()) where_ = place::text;
  }
  if (where_ == place::text) give(held_.size(), false);
}

}  // namespace soma::llm
