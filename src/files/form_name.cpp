#include "files/form_name.hpp"

#include <algorithm>
#include <cstdint>

#include "core/utf8.hpp"
#include "security/digest.hpp"

namespace soma::files {
namespace {

// 0x80 to 0x9f of Windows-1252; 0 where it has nothing.
constexpr std::uint16_t of_windows[] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};

std::string from_windows(std::string_view bytes) {
  std::string out;
  for (const unsigned char byte : bytes) {
    unsigned point = byte >= 0x80 && byte < 0xa0 ? of_windows[byte - 0x80] : byte;
    if (point == 0) point = '_';
    if (point < 0x80) {
      out += static_cast<char>(point);
    } else if (point < 0x800) {
      out += static_cast<char>(0xc0 | (point >> 6));
      out += static_cast<char>(0x80 | (point & 0x3f));
    } else {
      out += static_cast<char>(0xe0 | (point >> 12));
      out += static_cast<char>(0x80 | ((point >> 6) & 0x3f));
      out += static_cast<char>(0x80 | (point & 0x3f));
    }
  }
  return out;
}

std::string as_utf8(std::string bytes) {
  return utf8_valid(bytes) ? std::move(bytes) : from_windows(bytes);
}

std::optional<std::string> in_charset(std::string bytes, std::string charset) {
  for (auto& c : charset) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (charset.empty() || charset == "utf-8" || charset == "utf8" || charset == "us-ascii")
    return as_utf8(std::move(bytes));
  if (charset == "iso-8859-1" || charset == "windows-1252" || charset == "latin1")
    return from_windows(bytes);
  return std::nullopt;
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char small = static_cast<char>(c | 0x20);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

// `escape` and two digits are a byte; anything else is itself.
std::string unescaped(std::string_view text, char escape) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool is = text[at] == escape && at + 2 < text.size() && digit(text[at + 1]) >= 0 &&
                    digit(text[at + 2]) >= 0;
    out += is ? static_cast<char>(digit(text[at + 1]) * 16 + digit(text[at + 2])) : text[at];
    if (is) at += 2;
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string plain(text.substr(0, text.find('=')));
  std::replace(plain.begin(), plain.end(), '+', '-');
  std::replace(plain.begin(), plain.end(), '/', '_');
  return security::parse_base64url(plain);
}

// One word "=?charset?B|Q?text?=", taken off `rest`.
std::optional<std::string> next_word(std::string_view& rest) {
  if (!rest.starts_with("=?")) return std::nullopt;
  const auto kind = rest.find('?', 2);
  if (kind == rest.npos || kind + 3 > rest.size() || rest[kind + 2] != '?') return std::nullopt;
  const auto end = rest.find("?=", kind + 3);
  if (end == rest.npos) return std::nullopt;
  const auto text = rest.substr(kind + 3, end - kind - 3);
  std::string charset(rest.substr(2, kind - 2));
  charset = charset.substr(0, charset.find('*'));
  std::optional<std::string> bytes;
  if (const char way = static_cast<char>(rest[kind + 1] | 0x20); way == 'b') {
    bytes = from_base64(text);
  } else if (way == 'q') {
    std::string spaced(text);
    std::replace(spaced.begin(), spaced.end(), '_', ' ');
    bytes = unescaped(spaced, '=');
  }
  rest.remove_prefix(end + 2);
  return bytes ? in_charset(std::move(*bytes), std::move(charset)) : std::nullopt;
}

std::optional<std::string> words(std::string_view value) {
  std::string out;
  while (!value.empty()) {
    auto word = next_word(value);
    if (!word) return std::nullopt;
    out += *word;
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  }
  return out;
}

}  // namespace

std::string form_name(std::string_view value) {
  if (value.starts_with("=?"))
    if (auto decoded = words(value)) return std::move(*decoded);
  std::string text(value);
  // Every other percent sign is left alone by browsers.
  for (auto at = text.find("%22"); at != std::string::npos; at = text.find("%22", at + 1))
    text.replace(at, 3, "\"");
  return as_utf8(std::move(text));
}

std::optional<std::string> extended_form_name(std::string_view value) {
  std::string charset;
  if (const auto first = value.find('\''); first != value.npos) {
    const auto second = value.find('\'', first + 1);
    if (second == value.npos) return std::nullopt;
    charset = value.substr(0, first);
    value.remove_prefix(second + 1);
  }
  if (value.empty()) return std::nullopt;
  return in_charset(unescaped(value, '%'), std::move(charset));
}

}  // namespace soma::files
