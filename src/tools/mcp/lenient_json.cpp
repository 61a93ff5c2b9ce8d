#include "tools/mcp/lenient_json.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "core/utf8.hpp"

namespace soma::tools::mcp {
namespace {

constexpr std::string_view no_character = "\xef\xbf\xbd";

std::optional<unsigned> unit_at(std::string_view text) {  // of "\uXXXX"
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return std::nullopt;
  unsigned value = 0;
  const auto digits = text.substr(2, 4);
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + 4, value, 16);
  return ec == std::errc() && end == digits.data() + 4 ? std::optional(value) : std::nullopt;
}

class mender {
 public:
  explicit mender(std::string_view text) : rest_(text) {
    out_.reserve(text.size());
    if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);
  }

  std::string mend() {
    while (!rest_.empty()) in_text_ ? text_step() : plain_step();
    return std::move(out_);
  }

 private:
  void take(std::size_t n) {
    out_ += rest_.substr(0, n);
    rest_.remove_prefix(n);
  }
  void put(std::string_view instead, std::size_t of) {
    out_ += instead;
    rest_.remove_prefix(of);
  }

  void plain_step() {
    for (const std::string_view word : {"NaN", "-NaN", "Infinity", "-Infinity"})
      if (rest_.starts_with(word)) return put("null", word.size());
    if (rest_.front() == '"') in_text_ = true;
    // In a text the next step goes on.
    const auto rest = rest_.substr(1);
    take(1 + (in_text_ ? 0 : std::min(rest.find_first_of("\"NI-"), rest.size())));
  }

  void text_step() {
    const char c = rest_.front();
    if (c == '\\') return escape_step();
    std::size_t plain = 0;  // most of any text
    while (plain < rest_.size() && rest_[plain] >= ' ' && rest_[plain] != '"' &&
           rest_[plain] != '\\' && rest_[plain] != 0x7f)
      ++plain;
    if (plain > 0) return take(plain);
    if (c == '"') in_text_ = false;
    if (static_cast<unsigned char>(c) >= ' ') {
      const auto length = utf8_sequence_length(rest_);
      return length == 0 ? put(no_character, 1) : take(length);
    }
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
    put(escaped, 1);
  }

  void escape_step() {
    if (const auto unit = unit_at(rest_)) {
      const bool high = *unit >= 0xd800 && *unit < 0xdc00, low = *unit >= 0xdc00 && *unit < 0xe000;
      const auto next = high ? unit_at(rest_.substr(6)) : std::nullopt;
      if (high && next && *next >= 0xdc00 && *next < 0xe000) return take(12);
      return high || low ? put(no_character, 6) : take(6);
    }
    const bool known =
        rest_.size() > 1 && std::string_view("\"\\/bfnrt").find(rest_[1]) != std::string_view::npos;
    known ? take(2) : put("\\\\", 1);  // a backslash that escapes nothing is one
  }

  std::string_view rest_;
  std::string out_;
  bool in_text_ = false;
};

// A string that begins at `at`: its text as it stands there, and `at` behind it.
std::string_view text_at(std::string_view all, std::size_t& at) {
  const auto from = ++at;
  while (at < all.size() && all[at] != '"') at += all[at] == '\\' ? 2 : 1;
  const auto to = std::min(at, all.size());
  at = to + 1;
  return all.substr(from, to - from);
}

}  // namespace

std::string mended_json(std::string_view text) {
  return mender(text).mend();
}

bool looks_like_json(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != text.npos && (text[first] == '{' || text[first] == '[');
}

std::optional<std::uint64_t> answered_id(std::string_view text) {
  if (!looks_like_json(text)) return std::nullopt;
  std::optional<std::uint64_t> id;
  int depth = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c != '"') {
      depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
      ++at;
      continue;
    }
    const auto name = text_at(text, at);
    if (depth != 1 || at >= text.size() || (name != "id" && name != "method")) continue;
    const auto colon = text.find_first_not_of(" \t", at);
    if (colon == text.npos || text[colon] != ':') continue;
    if (name == "method") return std::nullopt;  // not an answer
    auto digits = text.find_first_not_of(" \t", colon + 1);
    if (digits == text.npos) continue;
    if (text[digits] == '"') ++digits;  // some make text of it
    std::uint64_t value = 0;
    const auto* end = text.data() + text.size();
    if (std::from_chars(text.data() + digits, end, value).ec == std::errc() && !id) id = value;
  }
  return id;
}

}  // namespace soma::tools::mcp
