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
// The terminal that the program was started from, as it was when this was made.
class input_terminal {
 public:
  input_terminal();
  // There was one, and it is gone: its window was closed, or the line is cut.
  bool hung_up() const;

 private:
  const bool was_there_;
};
// One line on standard error: "soma: ", the sentence.
void complain(std::string_view sentence);

}  // namespace soma
