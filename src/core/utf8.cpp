#include "core/utf8.hpp"

#include <simdjson.h>

namespace soma {
namespace {

struct form {
  std::size_t length = 0;
  unsigned char second_min = 0x80, second_max = 0xBF;
};

form form_of(unsigned char lead) {
  if (lead < 0x80) return {1};
  if (lead >= 0xC2 && lead <= 0xDF) return {2};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead >= 0xE1 && lead <= 0xEF) return {3};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead >= 0xF1 && lead <= 0xF3) return {4};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0};
}

// Bytes of `text` that agree with the form of its first byte, at most the form's length.
std::size_t matching(std::string_view text, const form& f) {
  std::size_t n = 1;
  for (; n < f.length && n < text.size(); ++n) {
    const auto c = static_cast<unsigned char>(text[n]);
    if (n == 1 ? c < f.second_min || c > f.second_max : c < 0x80 || c > 0xBF) break;
  }
  return n;
}

}  // namespace

std::size_t utf8_sequence_length(std::string_view text) {
  if (text.empty()) return 0;
  const form f = form_of(static_cast<unsigned char>(text[0]));
  return f.length > 0 && matching(text, f) == f.length ? f.length : 0;
}

std::size_t utf8_complete_prefix(std::string_view text) {
  // Only the last three bytes can begin a sequence that is still incomplete.
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto tail = text.substr(text.size() - back);
    const auto lead = static_cast<unsigned char>(tail[0]);
    if (lead < 0x80) break;
    const form f = form_of(lead);
    if (f.length == 0) continue;  // a continuation byte: look further back
    return f.length > back && matching(tail, f) == back ? text.size() - back : text.size();
  }
  return text.size();
}

bool utf8_valid(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size());
}

}  // namespace soma
