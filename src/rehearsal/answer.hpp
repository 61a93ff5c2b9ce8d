// What the rehearsal server says: a deterministic function of the conversation before any prefix,
// so that a continued answer is the same text as one given in one piece. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rehearsal/conversation.hpp"

namespace soma::rehearsal {

struct answer {
  std::string thinking, text;
  std::vector<scripted_call> calls;  // after the text
  std::uint64_t prompt_tokens = 0, completion_tokens = 0;
};

answer make_answer(const conversation& asked);

// What is still to be said after `prefix`: everything from the longest common prefix on, cut
// between code points.
std::string_view rest_after(std::string_view text, std::string_view prefix);

// Cuts the next piece off `text`: a word with the space after it, or, with `bytes_max`, at most so
// many bytes but at least a code point.
std::string_view next_piece(std::string_view& text, std::size_t bytes_max);

}  // namespace soma::rehearsal
