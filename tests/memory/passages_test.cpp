#include "memory/passages.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "core/utf8.hpp"
#include "memory/knowledge.hpp"
#include "support/seed.hpp"

using namespace soma;
using namespace soma::memory;

namespace {

passage_options markdown() {
  passage_options how;
  how.headings = true;
  return how;
}

std::vector<std::string> texts(const cut_document& cut) {
  std::vector<std::string> out;
  for (const auto& one : cut.passages) out.push_back(one.text);
  return out;
}

std::string sentences(std::size_t count, const std::string& about = "a sentence") {
  std::string out;
  for (std::size_t i = 0; i < count; ++i)
    out += "This is " + about + " with the number " + std::to_string(i) + " in it. ";
  return out;
}

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("passages: a short text is one, and no words are none") {
  const auto cut = cut_passages("One. Two.\n\nThree.\n", {});
  REQUIRE(cut.passages.size() == 1);
  CHECK(cut.passages[0].text == "One. Two.\n\nThree.");
  CHECK(cut.passages[0].page == 0);
  CHECK(cut.passages[0].heading.empty());
  CHECK_FALSE(cut.more);
  CHECK(cut_passages("", {}).passages.empty());
  CHECK(cut_passages(" \n\t\n\f\n", {}).passages.empty());
}

TEST_CASE("passages: a long text is cut between sentences, and neighbours share some") {
  const auto text = sentences(200);
  const auto cut = cut_passages(text, {});
  REQUIRE(cut.passages.size() > 5);
  for (std::size_t i = 0; i < cut.passages.size(); ++i) {
    const auto& one = cut.passages[i];
    CHECK(characters(one.text) <= 1200);
    CHECK(one.text.starts_with("This is"));
    CHECK(one.text.ends_with("in it."));
    CHECK(one.text == text.substr(one.from, one.to - one.from));
    if (i == 0) continue;
    CHECK(one.from < cut.passages[i - 1].to);
    CHECK(cut.passages[i - 1].to - one.from <= 200);
    CHECK(one.from > cut.passages[i - 1].from);
  }
  for (int i = 0; i < 200; ++i) {
    const auto said = "number " + std::to_string(i) + " in it.";
    CHECK(std::any_of(cut.passages.begin(), cut.passages.end(),
                      [&](const auto& one) { return contains(one.text, said); }));
  }
}

TEST_CASE("passages: pages are told apart by form feeds, and numbered where there is one alone") {
  auto cut = cut_passages("First page.\f\n\nSecond page.\f\f\n\nFourth page.", {});
  REQUIRE(cut.passages.size() == 3);
  CHECK(texts(cut) == std::vector<std::string>{"First page.", "Second page.", "Fourth page."});
  CHECK(cut.passages[0].page == 1);
  CHECK(cut.passages[1].page == 2);
  CHECK(cut.passages[2].page == 4);
  passage_options how;
  how.paged = true;
  CHECK(cut_passages("Alone.", how).passages[0].page == 1);
}

TEST_CASE("passages: a heading begins one, and all know under which headings they stand") {
  const auto text = "# Book\n\nBefore all. " + sentences(6) + "\n\n## First\n\n" + sentences(40) +
                    "\n\n## Second\n\n### Deep\n\n" + sentences(6) + "\n# Other\n" + sentences(6);
  const auto cut = cut_passages(text, markdown());
  std::vector<std::string> headings;
  for (const auto& one : cut.passages)
    if (headings.empty() || headings.back() != one.heading) headings.push_back(one.heading);
  CHECK(headings ==
        std::vector<std::string>{"Book", "Book > First", "Book > Second > Deep", "Other"});
  for (const auto& one : cut.passages) {
    CHECK_FALSE(one.text.ends_with("## Second"));
    if (one.heading == "Other") CHECK(one.text.starts_with("# Other\n"));
  }
  // Without headings the marks are text.
  CHECK(cut_passages("# no heading\nText.", {}).passages[0].heading.empty());
}

TEST_CASE("passages: short sections stand together, each with its heading") {
  const auto cut = cut_passages("# A\nOne.\n# B\nTwo.\n# C\nThree.\n", markdown());
  REQUIRE(cut.passages.size() == 1);
  CHECK(cut.passages[0].heading == "A");
  CHECK(contains(cut.passages[0].text, "# C\nThree."));
}

TEST_CASE("passages: a block of code is never cut, nor read as headings or sentences") {
  std::string code = "```sh\n";
  for (int i = 0; i < 100; ++i) code += "# step " + std::to_string(i) + ". Do this. Do that.\n";
  code += "```";
  const auto cut =
      cut_passages("# How\n\n" + sentences(10) + "\n\n" + code + "\n\nAfter it.", markdown());
  CHECK(std::count_if(cut.passages.begin(), cut.passages.end(),
                      [&](const auto& one) { return contains(one.text, code); }) == 1);
  for (const auto& one : cut.passages) CHECK(one.heading == "How");
  // One that is never closed ends with its page.
  const auto open = cut_passages("```\ncode. here\f# Next\nText.", markdown());
  REQUIRE(open.passages.size() == 2);
  CHECK(open.passages[1].heading == "Next");
  // A fence of more marks is closed by as many.
  const auto nested = cut_passages("````\n```\n# no heading\n```\n````\n\nText.", markdown());
  CHECK(nested.passages[0].heading.empty());
}

TEST_CASE("passages: rows of tables stay whole, in Markdown, with tabs and as CSV") {
  std::string table, tabs, csv;
  for (int i = 0; i < 200; ++i) {
    const auto n = std::to_string(i);
    table += "| row " + n + ". First. | a second cell of it. | end" + n + " |\n";
    tabs += "row " + n + ". First.\ta second cell of it.\tend" + n + "\n";
    csv += "row " + n + ",\"a cell. With\ntwo lines, and \"\"quotes\"\".\",end" + n + "\n";
  }
  passage_options rows;
  rows.rows = true;
  for (const auto& cut :
       {cut_passages(table, markdown()), cut_passages(tabs, {}), cut_passages(csv, rows)}) {
    REQUIRE(cut.passages.size() > 5);
    for (const auto& one : cut.passages) {
      CHECK((one.text.starts_with("row ") || one.text.starts_with("| row ")));
      CHECK(contains(one.text.substr(one.text.size() - 8), "end"));
      CHECK(characters(one.text) <= 1200);
    }
  }
}

TEST_CASE("passages: text without spaces is cut at its sentences, else between characters") {
  std::string japanese, chinese;
  for (int i = 0; i < 300; ++i) japanese += "これは文章です。「引用もある。」";
  for (int i = 0; i < 3000; ++i) chinese += "漢";
  for (const auto& one : cut_passages(japanese, {}).passages) {
    CHECK((one.text.ends_with("。") || one.text.ends_with("」")));
    CHECK((one.text.starts_with("これ") || one.text.starts_with("「")));
    CHECK(characters(one.text) <= 1200);
  }
  const auto cut = cut_passages(chinese, {});
  CHECK(cut.passages.size() >= 3);
  std::size_t last = 0;
  for (const auto& one : cut.passages) {
    CHECK(utf8_valid(one.text));
    CHECK(characters(one.text) <= 1200);
    CHECK(one.from <= last);
    last = one.to;
  }
  CHECK(last == 3000);
}

TEST_CASE(
    "passages: very long lines are cut between words; code and rows that are too long at last") {
  std::string line;
  for (int i = 0; i < 20'000; ++i) line += "word" + std::to_string(i) + ' ';
  for (const auto& one : cut_passages(line, {}).passages) {
    CHECK(characters(one.text) <= 1200);
    CHECK(one.text.starts_with("word"));
  }
  const std::string code = "```\n" + line + "\nshort\n" + line + "\n```";
  for (const auto& one : cut_passages(code, {}).passages)
    CHECK(one.text.size() <= 2 * passage_whole_bytes_max);
  const std::string row = "a\t" + std::string(200'000, 'x');
  for (const auto& one : cut_passages(row, {}).passages)
    CHECK(one.text.size() <= 2 * passage_whole_bytes_max);
}

TEST_CASE("passages: there are no more than may be, and that there were more is told") {
  passage_options few;
  few.passages_max = 3;
  const auto cut = cut_passages(sentences(500), few);
  CHECK(cut.passages.size() == 3);
  CHECK(cut.more);
  few.passages_max = 1;
  CHECK_FALSE(cut_passages("One.", few).more);
}

TEST_CASE("passages: headings alone, long ones and rows of a letter are cut as all else is") {
  std::string headings, rows;
  for (int i = 0; i < 100'000; ++i) headings += i % 1000 == 999 ? "## b\n" : "# a\n";
  const auto many = cut_passages(headings, markdown());
  CHECK(many.passages.size() > 300);
  for (const auto& one : many.passages) CHECK(characters(one.text) <= 1200);
  CHECK(many.passages.back().to >= headings.size() - 2);
  const auto all = "# " + std::string(200'000, 'x') + "\n\n. " + std::string(100'000, ')') + " x";
  for (const auto& one : cut_passages(all, markdown()).passages)
    CHECK(one.text.size() <= 2 * passage_whole_bytes_max);
  for (int i = 0; i < 100'000; ++i) rows += "a\n";
  passage_options few;
  few.rows = true;
  few.passages_max = 3;
  const auto cut = cut_passages(rows, few);
  CHECK(cut.passages.size() == 3);
  CHECK(cut.more);
}

TEST_CASE("passages: whatever the text, all of its words are in some passage, in order") {
  std::mt19937_64 random(soma::testing::seed_of("passages"));
  const std::string parts[] = {"word ", "a sentence. ", "\n",          "\n\n",   "# heading\n",
                               "```\n", "\f",           "| a | b |\n", "x\ty\n", "。",
                               "漢字",  "- item\n",     "\"",          "~~~\n",  "   "};
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (auto n = random() % 400; n > 0; --n) text += parts[random() % std::size(parts)];
    auto how = markdown();
    how.characters = 20 + random() % 200;
    how.overlap = random() % 50;
    how.rows = random() % 8 == 0;
    const auto cut = cut_passages(text, how);
    std::size_t covered = 0, last_from = 0;
    std::vector<std::size_t> places;  // of characters, in bytes
    for (std::size_t i = 0; i < text.size(); ++i)
      if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) places.push_back(i);
    places.push_back(text.size());
    for (const auto& one : cut.passages) {
      CHECK(one.text == text.substr(places[one.from], places[one.to] - places[one.from]));
      CHECK(one.text.find('\f') == std::string::npos);
      CHECK(one.from >= last_from);
      last_from = one.from;
      if (one.from > covered) {
        const auto between = text.substr(places[covered], places[one.from] - places[covered]);
        CHECK(between.find_first_not_of(" \n\t\f") == std::string::npos);
      }
      covered = std::max(covered, one.to);
    }
    CHECK(text.substr(places[covered]).find_first_not_of(" \n\t\f") == std::string::npos);
  }
}

TEST_CASE("passages: how a document is cut follows from its type and its name") {
  CHECK(passage_options_for("application/pdf", "a.pdf").paged);
  CHECK(passage_options_for("text/plain", "README.MD").headings);
  CHECK_FALSE(passage_options_for("text/plain", "run.sh").headings);
  CHECK(passage_options_for("text/csv", "x").rows);
  CHECK(passage_options_for("text/html", "x").headings);
}
