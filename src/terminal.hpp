// All that the program's subcommands write. Where the stream is a terminal, text passes
// terminal_text: whatever came from a model, a tool or a server does not steer it. Elsewhere it is
// written as it is. Not thread-safe.
#pragma once

#include <cstdio>
#include <string_view>

namespace soma {

void write_to(std::FILE* stream, std::string_view text);
// To standard output, at once.
void show(std::string_view text);
// One line on standard error: "soma: ", the sentence.
void complain(std::string_view sentence);

}  // namespace soma
