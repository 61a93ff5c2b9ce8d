#include "llm/thought_splitter.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "llm/provider_limits.hpp"

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

bool is_line_end(char c) {
  return c == '\n' || c == '\r';
}

// Right behind the last word, and with an empty line after it: so some models end.
bool ends_a_paragraph(std::string_view text, std::size_t at, std::size_t end) {
  constexpr std::string_view quotes = " \t`\"'(";
  return quotes.find(text[at - 1]) == quotes.npos &&
         (text.substr(end).starts_with("\n\n") || text.substr(end).starts_with("\r\n\r\n"));
}

// The first of the closing tags: where it is, and how long.
std::pair<std::size_t, std::size_t> first_closing(std::string_view text) {
  std::pair<std::size_t, std::size_t> first{text.npos, 0};
  for (const auto& tag : tags)
    if (const auto at = text.find(tag.closing); at < first.first) first = {at, tag.closing.size()};
  return first;
}

}  // namespace

std::size_t behind_lone_thought(std::string_view text) {
  for (const auto& tag : tags) {
    const auto at = text.find(tag.closing);
    const auto end = at + tag.closing.size();
    if (at == text.npos || end >= text.size() || !is_line_end(text[end])) continue;
    const bool own_line = at == 0 || is_line_end(text[at - 1]);
    if (!own_line && !ends_a_paragraph(text, at, end)) continue;
    const auto before = text.substr(0, at);
    if (before.find(tag.opening) != before.npos) continue;
    std::size_t fences = 0;
    for (auto f = before.find("```"); f != before.npos; f = before.find("```", f + 3)) ++fences;
    if (fences % 2 != 0) continue;  // of code that shows one
    const auto said = text.find_first_not_of(white_space, end);
    return said == text.npos ? text.size() : said;
  }
  return 0;
}

void thought_splitter::push(std::string_view bytes, const on_part& part) {
  if (where_ == place::channels) return channels_.push(bytes, part);
  if (where_ == place::text) {
    remember(bytes);
    return part(bytes, false);
  }
  held_ += bytes;
  take(part, false);
}

void thought_splitter::flush(const on_part& part, bool complete) {
  if (where_ == place::channels) return channels_.flush(part);
  take(part, true);
  if (where_ == place::inside_given && complete && remembers_ && !given_.empty()) {
    begun_ = false;  // the model does not think (any more), or its server tells it elsewhere
    part(given_, false);
  } else if (where_ == place::text && remembers_ && behind_lone_thought(given_) > 0) {
    begun_ = true;
  }
}

void thought_splitter::pass_all() {
  where_ = place::text;
  remembers_ = false;
}

void thought_splitter::remember(std::string_view given) {
  if (!remembers_) return;
  remembers_ = given_.size() + given.size() <= limits::thought_bytes_max;
  if (remembers_)
    given_ += given;
  else if (where_ != place::inside_given)
    given_ = {};
}

void thought_splitter::give(std::size_t bytes, bool thinking, const on_part& part) {
  const std::string text = held_.substr(0, bytes);
  held_.erase(0, bytes);
  if (text.empty()) return;
  remember(text);
  if (where_ != place::inside_given || remembers_) return part(text, thinking);
  // No model thinks for so long.
  begun_ = false;
  where_ = place::text;
  part(std::exchange(given_, {}) + text, false);
}

void thought_splitter::take_beginning(bool last) {
  const auto first = held_.find_first_not_of(white_space);
  const auto rest =
      first == held_.npos ? std::string_view() : std::string_view(held_).substr(first);
  bool could_be = rest.empty();
  if (!rest.empty() && channel_splitter::begins(rest, could_be)) {
    where_ = place::channels;
    return;
  }
  for (const auto& tag : tags) {
    if (rest.starts_with(tag.opening)) {
      closing_ = tag.closing;
      held_.erase(0, first + tag.opening.size());
      if (where_ == place::given) begun_ = false;
      where_ = place::inside;
      remembers_ = false;
      return;
    }
    could_be = could_be || tag.opening.starts_with(rest);
  }
  if (could_be && !last && held_.size() <= limits::beginning_bytes_max) return;
  where_ = where_ == place::given ? place::inside_given : place::text;
}

void thought_splitter::take_thought(const on_part& part, bool last) {
  auto closing = std::pair(held_.find(closing_), closing_.size());
  if (where_ == place::inside_given) closing = first_closing(held_);
  if (closing.first == held_.npos) {
    std::size_t begun = 0;
    for (const auto& tag : tags)
      if (where_ == place::inside_given || tag.closing == closing_)
        begun = std::max(begun, beginning_at_end(held_, tag.closing));
    return give(held_.size() - (last ? 0 : begun), true, part);
  }
  give(closing.first, true, part);
  held_.erase(0, closing.second);
  if (where_ == place::inside_given) begun_ = true;
  where_ = place::behind;
  remembers_ = false;
}

void thought_splitter::take(const on_part& part, bool last) {
  if (where_ == place::before || where_ == place::given) take_beginning(last);
  if (where_ == place::channels) {
    channels_.push(std::exchange(held_, {}), part);
    if (last) channels_.flush(part);
    return;
  }
  if (where_ == place::inside || where_ == place::inside_given) take_thought(part, last);
  if (where_ == place::behind) {  // the empty lines after it belong to the tag
    held_.erase(0, std::min(held_.find_first_not_of(white_space), held_.size()));
    if (!held_.empty()) where_ = place::text;
  }
  if (where_ == place::text) give(held_.size(), false, part);
}

}  // namespace soma::llm
