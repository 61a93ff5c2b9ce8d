// How providers say that a request is larger than their model's context, and how large that is.
// Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace soma::llm {

// `text`: message, type and code of an error, in any case.
bool speaks_of_context(std::string_view text);

// Tokens of the model's context as the message of an overflow names them; 0: it does not.
std::uint64_t window_named_in(std::string_view text);

}  // namespace soma::llm
