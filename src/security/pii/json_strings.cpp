#include "security/pii/json_strings.hpp"

#include <charconv>
#include <cstdint>

#include "core/json_writer.hpp"

namespace soma::security::pii {
namespace {

// Past the quote that ends the string which begins at `at`; npos: there is none.
std::size_t end_of_string(std::string_view json, std::size_t at) {
  for (++at; at < json.size(); ++at) {
    if (json[at] == '\\')
      ++at;
    else if (json[at] == '"')
      return at + 1;
  }
  return std::string_view::npos;
}

void append_utf8(std::string& out, char32_t c) {
  const auto more = [&](int shift) {
    out.push_back(static_cast<char>(0x80 | ((c >> shift) & 0x3F)));
  };
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (c >> 6)));
    more(0);
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | (c >> 12)));
    more(6), more(0);
  } else {
    out.push_back(static_cast<char>(0xF0 | (c >> 18)));
    more(12), more(6), more(0);
  }
}

// Four hexadecimal digits; none: they are not there.
std::optional<char32_t> code_unit(std::string_view text, std::size_t at) {
  if (text.size() < 4 || at > text.size() - 4) return std::nullopt;
  std::uint16_t unit = 0;
  const auto* end = text.data() + at + 4;
  if (std::from_chars(text.data() + at, end, unit, 16).ptr != end) return std::nullopt;
  return unit;
}

constexpr char32_t no_character = 0xFFFD;

// Of `text` from `at`, behind \u; `at` is behind it then. Half a pair is no character.
char32_t unicode_at(std::string_view text, std::size_t& at) {
  const auto first = code_unit(text, at);
  if (!first) return no_character;
  at += 4;
  if (*first < 0xD800 || *first > 0xDFFF) return *first;
  if (*first > 0xDBFF || text.substr(at, 2) != "\\u") return no_character;
  const auto second = code_unit(text, at + 2);
  if (!second || *second < 0xDC00 || *second > 0xDFFF) return no_character;
  at += 6;
  return 0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00);
}

// What is no escape stands there as one character that is none: it hides nothing beside it, as the
// letter of an escape would that nobody read.
std::string without_escapes(std::string_view inside) {
  constexpr std::string_view letters = "\"\\/bfnrt", mean = "\"\\/\b\f\n\r\t";
  std::string out;
  for (std::size_t at = 0; at < inside.size();) {
    const char c = inside[at++];
    if (c != '\\') {
      out.push_back(c);
      continue;
    }
    const char letter = at < inside.size() ? inside[at++] : ' ';
    if (const auto n = letters.find(letter); n != letters.npos)
      out.push_back(mean[n]);
    else
      append_utf8(out, letter == 'u' ? unicode_at(inside, at) : no_character);
  }
  return out;
}

}  // namespace

bool change_strings(std::string& json, const text_change& change, const text_change& between) {
  const std::string_view text = json;
  std::string out;
  std::size_t kept = 0, last = 0;  // up to here it is in `out`; where the last string ended
  bool changed = false;
  const auto look_between = [&](std::size_t end) {
    if (!between || last == end) return;
    auto other = between(text.substr(last, end - last));
    if (!other) return;
    out.append(text.substr(kept, last - kept)).append(*other);
    kept = end;
    changed = true;
  };
  for (auto at = text.find('"'); at != text.npos; at = text.find('"', at)) {
    look_between(at);
    const auto end = end_of_string(text, at);
    if (end == text.npos) return false;
    const auto quoted = text.substr(at, end - at);
    const auto inside = quoted.substr(1, quoted.size() - 2);
    std::optional<std::string> plain;
    if (inside.find('\\') != inside.npos) plain = without_escapes(inside);
    if (auto other = change(plain ? std::string_view(*plain) : inside)) {
      out.append(text.substr(kept, at - kept)).push_back('"');
      append_json_escaped(out, *other);
      out.push_back('"');
      kept = end;
      changed = true;
    }
    at = last = end;
  }
  look_between(text.size());
  if (!changed) return true;
  out.append(text.substr(kept));
  json = std::move(out);
  return true;
}

}  // namespace soma::security::pii
