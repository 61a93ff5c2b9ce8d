// Whether a text is JSON as the log reads it, and what its numbers are. Numbers are kept as text:
// their size is no reason to refuse them. Whatever becomes part of an event as JSON passes
// `is_raw_json` before it is appended, so that `decode` reads every event that `encode` wrote.
// Pure; thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace soma {

inline constexpr std::size_t json_depth_max = 1024;  // of an envelope, with all that it holds
// Of a value inside an event: below what an import takes (256 for the whole line).
inline constexpr std::size_t raw_json_depth_max = 200;

// One JSON value (RFC 8259) in UTF-8. Exponents beyond 32 bits are refused, other numbers are not.
bool is_json(std::string_view text, std::size_t depth_max = json_depth_max);
inline bool is_raw_json(std::string_view text) {
  return is_json(text, raw_json_depth_max);
}

enum class number_bound {
  finite,  // a double is not infinite
  exact,   // an integer is one of 64 bits, too
};
// The first number of a JSON text that is past the bound, at most 40 bytes of it.
std::optional<std::string> number_past(std::string_view json, number_bound bound);

// A version before this one wrote infinite numbers as the word Infinity, which is no JSON. The same
// text with 1e99999 in place of each such word outside of strings.
std::string without_infinities(std::string_view json);

}  // namespace soma
