// The conversation as providers take it, out of one as it came to be: turns that got no answer,
// tool calls without an id or with one used twice, answers that are blank, a beginning that was
// left out. Each rule is one that some provider refuses a whole request for. Pure.
#pragma once

#include <vector>

#include "llm/llm_client.hpp"

namespace soma::llm {

// The call's messages such that, system messages aside:
// - the first is the user's; none is blank; two of one role do not follow each other;
// - each tool call has an id of its own, in the letters and length its provider takes, and its
//   result right behind, in the order of the calls; a call whose result is missing gets one that
//   says so, a result without a call becomes the user's text;
// - an answer whose thinking came before a lone closing tag begins behind it;
// - where the form says no_system, what the system says stands before the user's first text.
// The same messages always give the same, so that a provider's cache of prompts holds.
std::vector<chat_message> sendable(const call& c);

// Where what was said since the last message of the user begins.
std::size_t since_user(const std::vector<chat_message>& messages);

}  // namespace soma::llm
