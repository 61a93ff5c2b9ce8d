// Characters as the scanner sees them: what stands in UTF-8, and what an escape of a string such as
// \n or \u00a0 stands for, where a text has one. Pure. Whatever is neither is one byte each, and
// no part of a word.
#pragma once

#include <cstddef>
#include <string_view>

namespace soma::security::pii {

struct glyph {
  char32_t c = 0;
  std::size_t bytes = 0;  // 0: there is none
};

glyph glyph_at(std::string_view text, std::size_t at);
glyph glyph_before(std::string_view text, std::size_t end);

inline bool is_ascii_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// Letters and digits of scripts that put blanks between words, and `_`; in others a number
// stands right behind what says what it is.
bool is_word(char32_t c);

// What may stand between groups of digits, whatever its width or weight, as the one that stands for
// all of its kind: blank, `-`, `.`, `/`, `(` or `)`. 0: nothing of that kind.
char separator_of(char32_t c);

// Whether it begins and ends where words do.
inline bool begins_word(std::string_view text, std::size_t begin) {
  if (begin == 0) return true;
  const auto before = static_cast<unsigned char>(text[begin - 1]);
  const bool escape =
      (begin > 1 && text[begin - 2] == '\\') || (begin > 5 && text[begin - 6] == '\\');
  if (before < 0x80 && !escape) return !is_ascii_word(text[begin - 1]);
  return !is_word(glyph_before(text, begin).c);
}
bool stands_alone(std::string_view text, std::size_t begin, std::size_t end);

}  // namespace soma::security::pii
