#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <string>

#include "security/pii/checksums.hpp"
#include "security/pii/redaction.hpp"
#include "security/pii/scanner.hpp"
#include "support/seed.hpp"

using namespace soma::security;
using pii::find;
using pii::kind;

namespace {

std::string words_of(std::string_view text) {
  std::string out;
  for (const auto& one : find(text))
    out += std::string(to_string(one.kind)) + ":" + std::string(text.substr(one.begin, one.bytes)) +
           ";";
  return out;
}

// A line of the set: its text, and what has to be found in it.
struct marked {
  std::string text;
  std::vector<std::pair<std::string, std::size_t>> wanted;  // kind, begin
  std::vector<std::size_t> ends;
};

marked read_marked(const std::string& line) {
  marked out;
  for (std::size_t at = 0; at < line.size();) {
    const auto colon = line[at] == '{' ? line.find(':', at) : std::string::npos;
    if (colon == std::string::npos) {
      out.text.push_back(line[at++]);
      continue;
    }
    const auto close = line.find('}', colon);
    out.wanted.emplace_back(line.substr(at + 1, colon - at - 1), out.text.size());
    out.text += line.substr(colon + 1, close - colon - 1);
    out.ends.push_back(out.text.size());
    at = close + 1;
  }
  return out;
}

}  // namespace

TEST_CASE("pii: check digits that are right, and each wrong one") {
  using check = bool (*)(std::string_view);
  const std::vector<std::pair<check, std::string>> right{
      {pii::luhn, "4111111111111111"}, {pii::mod97, "GB82WEST12345698765432"},
      {pii::verhoeff, "2363"},         {pii::ean13, "7569217076985"},
      {pii::bsn, "111222333"},         {pii::cpf, "52998224725"},
      {pii::pesel, "44051401458"},     {pii::steuer_id, "86095742719"},
      {pii::nir, "255081416802538"},   {pii::dni, "12345678Z"},
      {pii::dni, "X1234567L"},         {pii::codice_fiscale, "RSSMRA85T10A562S"},
      {pii::hetu, "131052-308T"}};
  for (const auto& [is_right, number] : right) {
    CHECK_MESSAGE(is_right(number), number);
    CHECK_FALSE(is_right(""));
    CHECK_FALSE(is_right(number.substr(1)));
    auto other = number;
    other.back() = other.back() == '3'   ? '4'
                   : other.back() == 'Q' ? 'R'
                   : number.back() > '9' ? 'Q'
                                         : '3';
    if (other != number) CHECK_FALSE_MESSAGE(is_right(other), other);
  }
}

TEST_CASE("pii: what is found begins and ends where it should") {
  CHECK(words_of("Write to <ann@example.com>.") == "mail:ann@example.com;");
  CHECK(words_of("a@example.com,b@example.com") == "mail:a@example.com;mail:b@example.com;");
  CHECK(words_of("pay GB82 WEST 1234 5698 7654 32 now") == "iban:GB82 WEST 1234 5698 7654 32;");
  CHECK(words_of("4111 1111 1111 1111") == "card:4111 1111 1111 1111;");
  CHECK(words_of("x4111111111111111") == "");
  CHECK(words_of("12345678-Z") == "national_id:12345678-Z;");
  CHECK(find("my 123-45-6789").at(0).scheme == "us.ssn");
  CHECK(words_of("+49 30 901820, call") == "phone:+49 30 901820;");
  CHECK(words_of("") == "");
}

TEST_CASE("pii: what stands behind a number does not hide it") {
  const std::string card = "4111 1111 1111 1111", found = "card:" + card + ';';
  for (const auto* rest : {" 12/27", " 12/27 123", " 123", "-123", "/1227", ". 2 items", " - 3",
                           " (Visa)", " (123)", ", 12/27", " 2nd", " 12:30", "  7"})
    CHECK_MESSAGE(words_of(card + rest) == found, rest);
  CHECK(words_of("4111111111111111 12/27 123") == "card:4111111111111111;");
  CHECK(words_of("(4111111111111111)") == "card:4111111111111111;");
  CHECK(words_of("Ann,4111111111111111,12/27") == "card:4111111111111111;");
  CHECK(words_of("123-45-6789 (SSN)") == "national_id:123-45-6789;");
  CHECK(words_of("123-45-6789 2") == "national_id:123-45-6789;");
  CHECK(words_of("415-555-2671 12/27") == "phone:415-555-2671;");
  // A row of digits longer than any number, and what follows it.
  CHECK(words_of(std::string(60, '4') + " 4111111111111111 1") == "card:4111111111111111;");
  for (const auto* other : {"4111111111111111.5", "0,4111111111111111", "x-4111111111111111",
                            "4111111111111111x", "123-45-6789-1", "123 45 6789 12 13"})
    CHECK_MESSAGE(words_of(other) == "", other);
}

TEST_CASE("pii: what is no letter beside a number does not hide it, whatever its bytes") {
  const std::string card = "4111111111111111", found = "card:" + card + ';';
  const std::vector<std::string> beside{"\u201c", "\u2019", "\u2014",       "\u2013", "\u00a0",
                                        "\u202f", "\uff1a", "\u5361\u53f7", "\uce74", "\u3002",
                                        "\u20ac", "\xa0",   "\xe2\x80",     "\\n",    "\\u201c"};
  for (const auto& one : beside) {
    CHECK_MESSAGE(words_of(one + card) == found, one);
    CHECK_MESSAGE(words_of(card + one) == found, one);
    CHECK_MESSAGE(words_of("a" + one + card + one + "b") == found, one);
  }
  for (const std::string gap : {"\u00a0", "\u202f", "\u2011", "\u2013", "\u200b", "\\u00a0"}) {
    auto grouped = "4111" + gap + "1111" + gap + "1111" + gap + "1111";
    CHECK_MESSAGE(words_of(grouped) == "card:" + grouped + ';', gap);
    CHECK_MESSAGE(words_of("DE89" + gap + "37040044" + gap + "0532013000").starts_with("iban:"),
                  gap);
    CHECK_MESSAGE(words_of("123" + gap + "45" + gap + "6789").starts_with("national_id:"), gap);
  }
  // Letters that make one word with it.
  for (const std::string letter : {"\u00e9", "\u0416", "\u03b1", "e\u0301"})
    CHECK_MESSAGE(words_of(letter + card) == "", letter);
}

TEST_CASE("pii: of the set of our own, so much is found, and so little besides") {
  std::ifstream in(PII_SET);
  REQUIRE(in);
  std::size_t right = 0, missed = 0, wrong = 0, lines = 0;
  struct tally {
    std::size_t right = 0, missed = 0, wrong = 0;
  };
  std::map<std::string, tally> of;  // by kind, as docs/policy.md tells them
  std::string which;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.starts_with("# ")) continue;
    ++lines;
    const auto wanted = read_marked(line);
    auto found = find(wanted.text);
    for (std::size_t n = 0; n < wanted.wanted.size(); ++n) {
      const auto& [name, begin] = wanted.wanted[n];
      const auto at =
          std::find_if(found.begin(), found.end(), [&, b = begin](const pii::match& one) {
            return one.begin == b && one.begin + one.bytes == wanted.ends[n];
          });
      if (at != found.end() && to_string(at->kind) == name) {
        ++right;
        ++of[name].right;
        found.erase(at);
      } else {
        ++missed;
        ++of[name].missed;
        which += "\n  missed: " + line;
      }
    }
    wrong += found.size();
    for (const auto& one : found) ++of[std::string(to_string(one.kind))].wrong;
    if (!found.empty()) which += "\n  besides: " + line;
  }
  const auto precision = static_cast<double>(right) / static_cast<double>(right + wrong);
  const auto recall = static_cast<double>(right) / static_cast<double>(right + missed);
  for (const auto& [name, one] : of)
    MESSAGE(name << ": " << one.right << " found, " << one.missed << " missed, " << one.wrong
                 << " wrong");
  MESSAGE(lines << " texts: precision " << precision << ", recall " << recall << which);
  CHECK(precision >= 0.97);
  CHECK(recall >= 0.93);
}

TEST_CASE("pii: any text is looked through in order, and nothing overlaps") {
  const auto seed = soma::testing::seed_of("pii");
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  constexpr std::string_view letters = "0123456789 -.@+()/aZ:,\\nu\xc3\xa9\xc2\xa0\xe2\x80\x93";
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (auto n = random() % 200; n > 0; --n) text.push_back(letters[random() % letters.size()]);
    std::size_t end = 0;
    for (const auto& one : find(text)) {
      REQUIRE(one.begin >= end);
      REQUIRE(one.bytes > 0);
      end = one.begin + one.bytes;
      REQUIRE(end <= text.size());
    }
  }
}

TEST_CASE("pii: words go out as placeholders, and come back whole, however they are cut") {
  pii::placeholders words;
  const std::string text = "Mail ann@example.com or +49 30 901820; again ann@example.com.";
  const auto out = words.redact(text, find(text));
  CHECK(out == "Mail [[mail-1]] or [[phone-1]]; again [[mail-1]].");
  CHECK(words.restore(out) == text);
  const std::string answer = "[[ [[mail-1]] [[mail-9]] [[phone-1]][ [[x]] [[mail-1";
  const std::string wanted = "[[ ann@example.com [[mail-9]] +49 30 901820[ [[x]] [[mail-1";
  for (std::size_t piece = 1; piece < answer.size(); ++piece) {
    pii::restorer back(words);
    std::string got;
    for (std::size_t at = 0; at < answer.size(); at += piece)
      got += back.feed(answer.substr(at, piece));
    got += back.end();
    CHECK(got == wanted);
  }
  CHECK(words.size() == 2);
}
