#include "cluster/record_codec.hpp"

#include <doctest/doctest.h>

#include "support/result_text.hpp"

#include <random>

#include "cluster/packed_bytes.hpp"
#include "core/checksum.hpp"
#include "core/codes.hpp"

using namespace soma;
using namespace soma::cluster;

namespace {

atom full_atom() {
  atom one;
  one.session = {tenant_id("acme"), session_id("4c0e")};
  one.epoch = 7;
  one.events = 3;
  one.expected = 41;
  one.removes = true;
  one.keys = {{"acme/u/route/key", 86'400'000}, {"other", -1}};
  one.documents = {{"profiles", "main", nowhere, "{}"},
                   {"profiles", "old", 12, std::nullopt},
                   {"profiles", "seen", 13, std::nullopt, true},
                   {"keys", "k", std::nullopt, std::string("\0\xFF", 2)}};
  one.source = source_tag{63, 123'456'789'012, 2};
  one.body = std::string(300, 'x');
  return one;
}

std::vector<record> samples() {
  return {{1, born{"0f1e2d3c", 5, 64, 9, 1}},
          {1, claim{"0f1e2d3c", 1234567, 10, "node-a", "inc-1", 0x0123456789ABCDEFull}},
          {1, claim{"x", nowhere, 0, "", "", 0}},
          {1, owned{77, 1, 1'700'000'000'000, UINT64_MAX, full_atom()}},
          {1, owned{77, 2, -5, 0, atom{}}},
          {1, owned{77, UINT64_MAX, 0, 1, alive{}}},
          {1, owned{77, 3, 0, 1, release{"node-b"}}},
          {1, owned{77, 4, 0, 1, format_opened{2}}}};
}

// With the sum that `bytes` ought to have.
std::string summed(std::string_view rest) {
  std::string out;
  packed_writer(out).word(checksum(rest));
  return out.append(rest);
}

}  // namespace

TEST_CASE("records: are read as they were written") {
  for (const auto& one : samples()) {
    const auto bytes = encode(one);
    const auto read = decode(bytes);
    REQUIRE(read);
    CHECK(read->one == one);
    CHECK(read->sum == sum_of(bytes));
  }
}

TEST_CASE("records: every prefix and every flipped bit is an error") {
  for (const auto& one : samples()) {
    const auto whole = encode(one);
    for (std::size_t size = 0; size < whole.size(); ++size)
      CHECK_FALSE(decode(std::string_view(whole).substr(0, size)));
    CHECK_FALSE(decode(whole + '\0'));
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      auto flipped = whole;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      const auto read = decode(flipped);
      REQUIRE_FALSE(read);
      CHECK(read.error().code == codes::storage_corrupt);
    }
  }
}

TEST_CASE("records: bytes with a right sum and anything in them are an error or a record") {
  std::mt19937_64 random(7);
  int taken = 0;
  for (const auto& one : samples()) {
    const auto rest = encode(one).substr(8);
    for (int i = 0; i < 20'000; ++i) {
      auto changed = rest;
      for (auto n = 1 + random() % 3; n > 0; --n)
        changed[random() % changed.size()] = static_cast<char>(random());
      if (random() % 4 == 0) changed.resize(random() % (changed.size() + 1));
      const auto read = decode(summed(changed));
      if (!read) continue;
      ++taken;
      const auto again = decode(encode(read->one));
      REQUIRE(again);
      CHECK(again->one == read->one);
    }
  }
  CHECK(taken > 1000);
}

TEST_CASE("records: what is newer than this program is told from damage") {
  const auto of = [](std::uint64_t format, std::uint64_t kind) {
    std::string rest;
    packed_writer out(rest);
    out.number(format);
    out.number(kind);
    rest += "whatever a newer program wrote";
    return decode(summed(rest));
  };
  const auto newer = of(2, 3);
  REQUIRE_FALSE(newer);
  CHECK(newer.error().code == codes::storage_format);
  CHECK(newer.error().detail == "the record is of format 2, and this program knows up to 1");
  CHECK(of(1, 7).error().code == codes::storage_format);
  CHECK(of(0, 3).error().code == codes::storage_format);
  CHECK(of(70'000, 1).error().code == codes::storage_format);
  CHECK(of(1, 4).error().code == codes::storage_corrupt);
}

TEST_CASE("records: no count is believed that the bytes do not hold") {
  std::string rest;
  packed_writer out(rest);
  out.number(1);
  out.number(3);
  out.sign_and_number(1);  // claim
  out.number(1);
  out.sign_and_number(1);
  out.word(0);
  out.text("t");
  out.text("s");
  for (int i = 0; i < 4; ++i) out.number(0);
  out.number(1ull << 60);  // keys
  CHECK_FALSE(decode(summed(rest)));
  std::string endless(9, '\xFF');
  CHECK_FALSE(decode(summed(endless)));
}

TEST_CASE("records: are never larger than a topic takes") {
  auto one = full_atom();
  one.body.assign(record_bytes_max, 'x');
  CHECK_FALSE(decode(encode(record{1, owned{1, 1, 1, 1, one}})));
}

// What is in the logs of clusters is read for as long as they live.
TEST_CASE("records: their bytes stay as they are") {
  const auto hex = [](std::string_view bytes) {
    std::string out;
    for (const unsigned char c : bytes) {
      out += "0123456789abcdef"[c >> 4];
      out += "0123456789abcdef"[c & 15];
    }
    return out;
  };
  CHECK(hex(encode({1, born{"0f", 5, 64, 9, 1}})) == "e8ac24e23653b214010102306605400901");
  CHECK(hex(encode({1, claim{"0f", 300, 10, "a", "i", 1}})) ==
        "236bf9d230834a7e0102023066d8040a016101690100000000000000");
  atom one;
  one.session = {tenant_id("t"), session_id("s")};
  one.epoch = 10;
  one.events = 1;
  one.expected = 4;
  one.keys = {{"k", 1000}};
  one.documents = {{"c", "d", nowhere, "v"}};
  one.source = source_tag{7, 9, 0};
  one.body.assign(1, 'b');
  CHECK(hex(encode({1, owned{301, 1, 5, 2, one}})) ==
        "1686e98cd2a4ce6a0103da04010a0200000000000000017401730a0101040001016bd00f010163016401010101"
        "76010712000162");
  CHECK(hex(encode({1, owned{301, 2, 5, 2, release{"b"}}})) ==
        "ac9a3988625947ad0105da04020a02000000000000000162");
}
