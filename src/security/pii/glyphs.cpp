#include "security/pii/glyphs.hpp"

#include <algorithm>
#include <iterator>

#include "core/utf8.hpp"

namespace soma::security::pii {
namespace {

constexpr glyph no_text{0xFFFD, 1};
constexpr std::size_t unicode_escape_bytes = 6;  // \u00a0

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Of a backslash.
glyph escape_at(std::string_view text, std::size_t at) {
  const auto rest = text.substr(at, unicode_escape_bytes);
  if (rest.size() > 1 && (rest[1] == 'n' || rest[1] == 'r' || rest[1] == 't')) return {U'\n', 2};
  if (rest.size() < unicode_escape_bytes || rest[1] != 'u') return {U'\\', 1};
  char32_t c = 0;
  for (const char one : rest.substr(2)) {
    const auto digit = hex_digit(one);
    if (digit < 0) return {U'\\', 1};
    c = c * 16 + static_cast<char32_t>(digit);
  }
  return {c, unicode_escape_bytes};
}

struct range {
  char32_t first, last;
};

// Latin, Greek, Cyrillic and Armenian letters with their marks; Georgian; Latin and Greek again.
constexpr range words[] = {{0xC0, 0xD6},   {0xD8, 0xF6},     {0xF8, 0x2AF},
                           {0x300, 0x58F}, {0x10A0, 0x10FF}, {0x1E00, 0x1FFF}};
constexpr range blanks[] = {{0xA0, 0xA0},     {0x2000, 0x200D}, {0x202F, 0x202F}, {0x205F, 0x2060},
                            {0x3000, 0x3000}, {0xFEFF, 0xFEFF}, {U' ', U' '}};
constexpr range dashes[] = {{0xAD, 0xAD},     {0x2010, 0x2015}, {0x2043, 0x2043}, {0x2212, 0x2212},
                            {0xFE58, 0xFE58}, {0xFE63, 0xFE63}, {0xFF0D, 0xFF0D}, {U'-', U'-'}};

template <std::size_t Count>
bool is_in(const range (&all)[Count], char32_t c) {
  return std::any_of(std::begin(all), std::end(all),
                     [c](const range& one) { return c >= one.first && c <= one.last; });
}

}  // namespace

glyph glyph_at(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {};
  const auto first = static_cast<unsigned char>(text[at]);
  if (first == '\\') return escape_at(text, at);
  if (first < 0x80) return {first, 1};
  const auto size = utf8_sequence_length(text.substr(at, 4));
  if (size < 2) return no_text;
  char32_t c = first & (0x7Fu >> size);
  for (const char one : text.substr(at + 1, size - 1))
    c = (c << 6) | (static_cast<unsigned char>(one) & 0x3Fu);
  return {c, size};
}

glyph glyph_before(std::string_view text, std::size_t end) {
  if (end == 0 || end > text.size()) return {};
  text = text.substr(0, end);
  const auto last = static_cast<unsigned char>(text.back());
  if (last >= 0x80) {
    for (std::size_t size = 2; size <= 4 && size <= end; ++size)
      if (const auto one = glyph_at(text, end - size); one.bytes == size) return one;
    return no_text;
  }
  for (const auto size : {std::size_t{2}, unicode_escape_bytes})
    if (size <= end && text[end - size] == '\\')
      if (const auto one = escape_at(text, end - size); one.bytes == size) return one;
  return {last, 1};
}

bool is_word(char32_t c) {
  if (c < 0x80) return is_ascii_word(static_cast<char>(c));
  return is_in(words, c);
}

char separator_of(char32_t c) {
  switch (c) {
    case U' ': return ' ';
    case U'-': return '-';
    case U'.':
    case 0xFF0E: return '.';
    case U'/':
    case 0x2044:
    case 0xFF0F: return '/';
    case U'(':
    case 0xFF08: return '(';
    case U')':
    case 0xFF09: return ')';
    default: break;
  }
  if (c < 0x80) return 0;
  if (is_in(blanks, c)) return ' ';
  return is_in(dashes, c) ? '-' : '\0';
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  return begins_word(text, begin) && (end >= text.size() || !is_word(glyph_at(text, end).c));
}

}  // namespace soma::security::pii
