#include "core/shown_text.hpp"

#include <algorithm>
#include <cstdio>

#include "core/utf8.hpp"

namespace soma {
namespace {

// Of the well-formed sequence at the start, of `length` bytes.
char32_t point_of(std::string_view text, std::size_t length) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (length == 1) return byte(0);
  char32_t point = byte(0) & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) point = (point << 6) | (byte(i) & 0x3f);
  return point;
}

bool steers(char32_t point) {
  return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x061c ||
         (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
         (point >= 0x2066 && point <= 0x206f) || (point >= 0xe0000 && point <= 0xe007f);
}

}  // namespace

bool steers(std::string_view text) {
  const auto length = utf8_sequence_length(text);
  return length > 0 && steers(point_of(text, length));
}

std::string terminal_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto length = utf8_sequence_length(text);
    const auto point = length == 0 ? 0xfffd : point_of(text, length);
    if (length == 0 || point < 0x20 || point == 0x7f) {
      const char32_t symbol = length == 0 ? 0xfffd : point == 0x7f ? 0x2421 : 0x2400 + point;
      const bool kept = point == '\t' || point == '\n';
      if (kept) {
        out += static_cast<char>(point);
      } else if (!text.starts_with("\r\n")) {
        out += {static_cast<char>(0xe0 | (symbol >> 12)),
                static_cast<char>(0x80 | ((symbol >> 6) & 0x3f)),
                static_cast<char>(0x80 | (symbol & 0x3f))};
      }
    } else if (steers(point)) {
      char number[16];
      std::snprintf(number, sizeof number, "<U+%04X>", static_cast<unsigned>(point));
      out += number;
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string plain_line(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto length = std::max<std::size_t>(utf8_sequence_length(text), 1);
    out += steers(text) ? std::string_view(" ") : text.substr(0, length);
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace soma
