#include <doctest/doctest.h>

#include "core/shown_text.hpp"

using namespace soma;

TEST_CASE("terminal text: what steers a terminal is shown as a symbol") {
  CHECK(terminal_text("plain\ttext\nGrüße 日本 👩‍👩‍👧") ==
        "plain\ttext\nGrüße 日本 👩‍👩‍👧");
  CHECK(terminal_text("\x1b]52;c;eA==\x07") == "␛]52;c;eA==␇");
  CHECK(terminal_text(std::string_view("a\0b\x7f", 4)) == "a␀b␡");
  CHECK(terminal_text("one\r\ntwo\rthree") == "one\ntwo␍three");
  CHECK(terminal_text("\xc2\x9b"
                      "31m") == "<U+009B>31m");
  CHECK(terminal_text("a\u202eb\u2066c\u200fd") == "a<U+202E>b<U+2066>c<U+200F>d");
  CHECK(terminal_text("\U000e0041") == "<U+E0041>");
  CHECK(terminal_text("\x9b"
                      "31m\xff") ==
        "\ufffd"
        "31m\ufffd");
}

TEST_CASE("terminal text: no byte below a blank but tab and line feed ever comes out") {
  for (int byte = 0; byte < 256; ++byte)
    for (const char* before : {"", "\xc2", "\xe2\x80", "\xf0"}) {
      const auto out = terminal_text(std::string(before) + static_cast<char>(byte));
      for (const unsigned char c : out) CHECK((c >= 0x20 || c == '\t' || c == '\n'));
      CHECK(out.find('\x7f') == std::string::npos);
      for (std::string_view rest = out; !rest.empty(); rest.remove_prefix(1))
        CHECK_FALSE(
            (rest[0] == '\xc2' && rest.size() > 1 && static_cast<unsigned char>(rest[1]) < 0xa0));
    }
}

TEST_CASE("plain lines: a title holds nothing that steers, and keeps all else") {
  CHECK(plain_line("one\r\ntwo\x1b[2J\u202eexe\xc2\x85.") == "one  two [2J exe .");
  CHECK(plain_line("Grüße 👩‍👩‍👧") == "Grüße 👩‍👩‍👧");
}
