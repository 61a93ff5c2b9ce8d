#include "llm/utf8_joiner.hpp"

#include <charconv>
#include <cstdint>
#include <optional>

#include "core/utf8.hpp"

namespace soma::llm {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

bool high(std::uint32_t unit) {
  return unit >= 0xD800 && unit <= 0xDBFF;
}
bool low(std::uint32_t unit) {
  return unit >= 0xDC00 && unit <= 0xDFFF;
}

void append_three_bytes(std::string& out, std::uint32_t unit) {
  out += static_cast<char>(0xE0 | (unit >> 12));
  out += static_cast<char>(0x80 | ((unit >> 6) & 0x3F));
  out += static_cast<char>(0x80 | (unit & 0x3F));
}

void append_four_bytes(std::string& out, std::uint32_t code_point) {
  out += static_cast<char>(0xF0 | (code_point >> 18));
  out += static_cast<char>(0x80 | ((code_point >> 12) & 0x3F));
  out += static_cast<char>(0x80 | ((code_point >> 6) & 0x3F));
  out += static_cast<char>(0x80 | (code_point & 0x3F));
}

// The surrogate at the start of `text`; 0 if there is none.
std::uint32_t surrogate(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.size() < 3 || byte(0) != 0xED || byte(1) < 0xA0 || byte(1) > 0xBF ||
      (byte(2) & 0xC0) != 0x80)
    return 0;
  return 0xD000u | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
}

// Whether more bytes could make a surrogate, or a low one after a high one, of this.
bool could_be_surrogate(std::string_view text) {
  if (text.size() >= 3) return false;
  return text.empty() ||
         (text[0] == '\xED' && (text.size() == 1 || static_cast<unsigned char>(text[1]) >= 0xA0));
}

std::optional<std::uint32_t> escape_at(std::string_view json, std::size_t at) {
  if (json.size() < at + 6 || json[at] != '\\' || json[at + 1] != 'u') return std::nullopt;
  std::uint32_t unit = 0;
  const char* digits = json.data() + at + 2;
  const auto [end, ec] = std::from_chars(digits, digits + 4, unit, 16);
  if (ec != std::errc{} || end != digits + 4) return std::nullopt;
  return unit;
}

}  // namespace

std::string utf8_joiner::push(std::string_view bytes) {
  std::string joined;
  if (!held_.empty()) {
    joined = held_ + std::string(bytes);
    held_.clear();
    bytes = joined;
  }
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    std::size_t taken = utf8_sequence_length(bytes);
    if (taken > 0) {
      out += bytes.substr(0, taken);
    } else if (const auto first = surrogate(bytes); high(first)) {
      const auto second = surrogate(bytes.substr(3));
      if (low(second)) {
        append_four_bytes(out, 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
        taken = 6;
      } else if (could_be_surrogate(bytes.substr(3))) {
        break;
      } else {
        out += replacement;
        taken = 3;
      }
    } else if (first != 0) {
      out += replacement;
      taken = 3;
    } else if (could_be_surrogate(bytes) || utf8_complete_prefix(bytes) == 0) {
      break;
    } else {
      out += replacement;
      taken = 1;
    }
    bytes.remove_prefix(taken);
  }
  held_ = bytes;
  return out;
}

std::string utf8_joiner::flush() {
  const bool unfinished = !held_.empty();
  held_.clear();
  return unfinished ? std::string(replacement) : std::string();
}

std::string unescape_lone_surrogates(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (std::size_t i = 0; i < json.size();) {
    if (json[i] != '\\') {
      out += json[i++];
      continue;
    }
    const auto unit = escape_at(json, i).value_or(0);
    const bool paired = high(unit) && low(escape_at(json, i + 6).value_or(0));
    if (paired) {
      out += json.substr(i, 12);
      i += 12;
    } else if (high(unit) || low(unit)) {
      append_three_bytes(out, unit);
      i += 6;
    } else {
      out += json.substr(i, 2);
      i += 2;
    }
  }
  return out;
}

}  // namespace soma::llm
