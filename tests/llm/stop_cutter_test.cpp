#include "llm/stop_cutter.hpp"

#include <doctest/doctest.h>

using soma::llm::stop_cutter;

namespace {

// What is said of a text that comes in these pieces, to its end or to a word.
std::string said(std::vector<std::string> words, const std::vector<std::string>& pieces) {
  stop_cutter cutter(std::move(words));
  std::string all;
  for (const auto& piece : pieces) {
    all += cutter.take(piece);
    if (cutter.found()) return all + "|";
  }
  return all + cutter.rest();
}

}  // namespace

TEST_CASE("stop cutter: a text ends where the first word begins, however it is cut in pieces") {
  const std::string text = "one two END three";
  for (std::size_t a = 0; a <= text.size(); ++a)
    for (std::size_t b = a; b <= text.size(); ++b)
      CHECK(said({"three", "END"}, {text.substr(0, a), text.substr(a, b - a), text.substr(b)}) ==
            "one two |");
}

TEST_CASE("stop cutter: what only begins like a word is said, and soon") {
  CHECK(said({"END"}, {"no E", "N", "Emy, no EN"}) == "no ENEmy, no EN");
  CHECK(said({"aab"}, {"aa", "aa", "b"}) == "aa|");
  CHECK(said({"", "\n\n"}, {"a\n", "b\n", "\nc"}) == "a\nb|");
  CHECK(said({}, {"all ", "of it"}) == "all of it");
  stop_cutter cutter({"END"});
  CHECK(cutter.take("plain text") == "plain text");
  CHECK(cutter.take("so far E") == "so far ");
}
