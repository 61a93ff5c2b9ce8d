#include "core/json_writer.hpp"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/utf8.hpp"

namespace soma {
namespace {

constexpr std::string_view hex = "0123456789abcdef";

constexpr std::uint64_t each_byte(std::uint64_t value) {
  return value * 0x0101'0101'0101'0101;
}

// Bytes from `i` on that a JSON string holds as they are, eight at a time: no control characters,
// no quote, no backslash, none that is not ASCII.
std::size_t plain_until(std::string_view text, std::size_t i) {
  constexpr auto high = each_byte(0x80);
  const auto zero_in = [](std::uint64_t word) { return (word - each_byte(1)) & ~word & high; };
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    const auto control = (word - each_byte(0x20)) & ~word & high;
    if ((word & high) | control | zero_in(word ^ each_byte('"')) | zero_in(word ^ each_byte('\\')))
      break;
  }
  while (i < text.size()) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\') break;
    ++i;
  }
  return i;
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
  std::size_t run = 0;  // start of the bytes that can be copied as they are
  std::size_t i = 0;
  auto flush = [&] { out.append(text, run, i - run); };
  while ((i = plain_until(text, i)) < text.size()) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x80) {
      if (const auto length = utf8_sequence_length(text.substr(i)); length > 0) {
        i += length;
        continue;
      }
      flush();
      out += "\xEF\xBF\xBD";
    } else {
      flush();
      switch (c) {
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        default:
          out += "\\u00";
          out += hex[c >> 4];
          out += hex[c & 15];
      }
    }
    run = ++i;
  }
  flush();
}

std::size_t json_escaped_size(std::string_view text) {
  std::size_t size = 0, i = 0;
  for (;;) {
    const auto plain = plain_until(text, i);
    size += plain - i;
    i = plain;
    if (i == text.size()) return size;
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x80) {
      const auto length = utf8_sequence_length(text.substr(i));
      size += length > 0 ? length : 3;  // U+FFFD in place of what is no UTF-8
      i += length > 0 ? length : 1;
      continue;
    }
    if (c >= 0x20)
      size += c == '"' || c == '\\' ? 2 : 1;
    else
      size += c == '\n' || c == '\r' || c == '\t' ? 2 : 6;
    ++i;
  }
}

std::string_view json_fitting(std::string_view text, std::size_t bytes_max) {
  auto cut = text.substr(0, bytes_max);
  cut = cut.substr(0, utf8_complete_prefix(cut));
  while (json_escaped_size(cut) > bytes_max) {
    // Too long by what escapes add: take away so many bytes, of which each is one at least.
    const auto excess = json_escaped_size(cut) - bytes_max;
    cut = cut.substr(0, cut.size() - std::min(cut.size(), std::max<std::size_t>(1, excess / 6)));
    cut = cut.substr(0, utf8_complete_prefix(cut));
  }
  return cut;
}

void json_writer::separate() {
  if (!first_) out_ += ',';
  first_ = false;
}

json_writer& json_writer::open(char c) {
  separate();
  out_ += c;
  first_ = true;
  return *this;
}

json_writer& json_writer::close(char c) {
  out_ += c;
  first_ = false;
  return *this;
}

json_writer& json_writer::key(std::string_view name) {
  separate();
  out_ += '"';
  out_ += name;
  out_ += "\":";
  first_ = true;  // the value follows without a comma
  return *this;
}

json_writer& json_writer::string(std::string_view value) {
  separate();
  out_ += '"';
  append_json_escaped(out_, value);
  out_ += '"';
  return *this;
}

json_writer& json_writer::number(std::uint64_t value) {
  separate();
  char digits[20];
  const auto [end, ec] = std::to_chars(digits, digits + sizeof digits, value);
  out_.append(digits, end);
  return *this;
}

json_writer& json_writer::boolean(bool value) {
  separate();
  out_ += value ? "true" : "false";
  return *this;
}

json_writer& json_writer::raw(std::string_view json) {
  separate();
  const auto begin = out_.size();
  out_ += json.empty() ? std::string_view("null") : json;
  // JSON holds these only between its tokens; in a line of ours they would end it.
  for (const char end : {'\r', '\n'})
    for (auto at = out_.find(end, begin); at != out_.npos; at = out_.find(end, at)) out_[at] = ' ';
  return *this;
}

json_writer& json_writer::real(double value) {
  if (!std::isfinite(value)) return null();
  char digits[32];
  return raw({digits, std::to_chars(digits, digits + sizeof digits, value).ptr});
}

}  // namespace soma
