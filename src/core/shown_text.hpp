// Text of others (models, tools, files' names) where a person reads it: nothing in it steers the
// terminal or turns the direction of what stands around it. Pure.
#pragma once

#include <string>
#include <string_view>

namespace soma {

// Whether the character that `text` begins with is a control character (C0, DEL, C1), a mark that
// turns the direction of text, or one that breaks lines unseen. False for what is not UTF-8.
bool steers(std::string_view text);

// For a terminal: outside tab and line feed, such characters as symbols or by their number; a
// carriage return before a line feed is left out, bytes that are no UTF-8 are U+FFFD.
std::string terminal_text(std::string_view text);

// For a title: one line, with a blank where such a character was. UTF-8 as it came.
std::string plain_line(std::string_view text);

}  // namespace soma
