#include "core/utf8.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace soma;

TEST_CASE(
    "utf8: takes the first and last sequence of each length, no overlong form, no surrogate") {
  for (const char* good : {"\x7f", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF",
                           "\xEE\x80\x80", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
    CHECK(utf8_valid(good));
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC2", "a\xFF"})
    CHECK_FALSE(utf8_valid(bad));
}

TEST_CASE("utf8: a complete prefix never ends inside a sequence") {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
  for (std::size_t n = 0; n <= text.size(); ++n) {
    const auto cut = text.substr(0, n);
    const auto kept = utf8_complete_prefix(cut);
    CHECK(kept <= n);
    CHECK(n - kept <= 3);
    CHECK(utf8_valid(cut.substr(0, kept)));
  }
  // What no further byte could complete is not held back.
  CHECK(utf8_complete_prefix("a\xFF") == 2);
  CHECK(utf8_complete_prefix("\xE0\x80") == 2);
  CHECK(utf8_complete_prefix("\x80\x80\x80\x80") == 4);
}
