// JSON as servers write it who do not keep to it: half a surrogate pair, bytes that are no UTF-8,
// control characters in text, NaN and Infinity. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace soma::tools::mcp {

// Whether it begins as a message does: a line of a log is not worth mending.
bool looks_like_json(std::string_view text);

// The same text with all that mended: U+FFFD for what is no character, null for what is no number.
// Whether it is JSON now a parser says.
std::string mended_json(std::string_view text);

// The id that a message answers, where it is one of ours and can be made out although the message
// cannot be read.
std::optional<std::uint64_t> answered_id(std::string_view text);

}  // namespace soma::tools::mcp
