#include "cli/terminal.hpp"

#include <unistd.h>

#include <string>

#include "core/shown_text.hpp"

namespace soma {

void write_to(std::FILE* stream, std::string_view text) {
  if (isatty(fileno(stream)) == 0) {
    std::fwrite(text.data(), 1, text.size(), stream);
    return;
  }
  const auto safe = terminal_text(text);
  std::fwrite(safe.data(), 1, safe.size(), stream);
}

input_terminal::input_terminal() : was_there_(isatty(STDIN_FILENO) == 1) {}

bool input_terminal::hung_up() const {
  return was_there_ && isatty(STDIN_FILENO) != 1;
}

void show(std::string_view text) {
  write_to(stdout, text);
  std::fflush(stdout);
}

void complain(std::string_view sentence) {
  std::fflush(stdout);  // on one terminal, in order
  write_to(stderr, "soma: " + std::string(sentence) + "\n");
}

}  // namespace soma
