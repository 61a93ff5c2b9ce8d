#include "memory/words.hpp"

#include <doctest/doctest.h>

using namespace soma::memory;
using strings = std::vector<std::string>;

TEST_CASE("words: a question becomes its words, quoted, each once") {
  const auto terms = terms_of("What's MY daughter's name? my \"name\" OR (x) NEAR* -");
  CHECK(terms.words == strings{"\"what\"", "\"s\"", "\"my\"", "\"daughter\"", "\"name\"", "\"or\"",
                               "\"x\"", "\"near\""});
  CHECK(terms.parts == strings{"\"what\"", "\"daught\"", "\"name\"", "\"near\""});
}

TEST_CASE("words: scripts without spaces are looked for two and three characters at a time") {
  const auto terms = terms_of("我的女儿");
  CHECK(terms.words == strings{"\"我 的\"", "\"的 女\"", "\"女 儿\""});
  CHECK(terms.parts == strings{"\"我的女\"", "\"的女儿\""});
  CHECK(indexed_text("她叫Ada。") == " 她 叫 Ada。");
}

TEST_CASE("words: a question is bounded, and what is no text is none") {
  std::string many;
  for (int i = 0; i < 200; ++i) many += "w" + std::to_string(i) + " ";
  CHECK(terms_of(many).words.size() == query_terms_max);
  CHECK(terms_of("").words.empty());
  CHECK(terms_of("\xff\xfe \x80 !?").words.empty());
  CHECK(indexed_text(std::string("a\0b\xff", 4)) == "a b ");
}

TEST_CASE("words: texts that say the same are normalized alike") {
  CHECK(normalized("My daughter's name is Ada.") == normalized("my  daughter s NAME is ada"));
  CHECK(normalized("Ada") != normalized("Eva"));
}
