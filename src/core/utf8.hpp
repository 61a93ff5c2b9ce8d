// UTF-8 boundaries, for cutting text only between code points. Pure functions over bytes.
#pragma once

#include <cstddef>
#include <string_view>

namespace soma {

// Length (1 to 4) of the well-formed sequence at the start of `text`; 0 if it is malformed or cut.
// Well-formed as in the Unicode Standard, table 3-7 (no overlong forms, no surrogates).
std::size_t utf8_sequence_length(std::string_view text);

// Length of the longest prefix that does not end inside a sequence that more bytes could complete.
std::size_t utf8_complete_prefix(std::string_view text);

bool utf8_valid(std::string_view text);

}  // namespace soma
