#include "core/uuid.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>

using namespace soma;

TEST_CASE("uuid: is version 4, variant 10, and every other bit is as often set as not") {
  constexpr int rounds = 2000;
  std::array<int, 128> set{};
  for (int i = 0; i < rounds; ++i) {
    auto id = new_uuid();
    CHECK(is_uuid(id));
    CHECK(id[14] == '4');
    CHECK(std::string("89ab").find(id[19]) != std::string::npos);
    std::erase(id, '-');
    for (std::size_t bit = 0; bit < 128; ++bit)
      set[bit] += std::stoi(id.substr(bit / 4, 1), nullptr, 16) >> (3 - bit % 4) & 1;
  }
  for (std::size_t bit = 0; bit < 128; ++bit) {
    CAPTURE(bit);
    const bool fixed = (bit >= 48 && bit < 52) || bit == 64 || bit == 65;
    // Nine standard deviations to either side.
    if (!fixed) CHECK((set[bit] > rounds * 4 / 10 && set[bit] < rounds * 6 / 10));
  }
  CHECK(format_uuid(0x0123456789abcdef, 0xfedcba9876543210) ==
        "01234567-89ab-4def-bedc-ba9876543210");
}

TEST_CASE("uuid: one seed gives one sequence, another seed another") {
  uuid_source a(1, 2), b(1, 2), c(1, 3);
  for (int i = 0; i < 10; ++i) {
    const auto id = a.next();
    CHECK(id == b.next());
    CHECK(id != c.next());
  }
}

TEST_CASE("uuid: refuses text of another form") {
  for (const char* bad :
       {"", "01234567-89ab-4def-bedc-ba987654321", "0123456789ab4defbedcba9876543210",
        "01234567-89ab-4def-bedc-ba987654321g", "01234567_89ab-4def-bedc-ba9876543210"})
    CHECK_FALSE(is_uuid(bad));
}

TEST_CASE("uuid: what is ordered stays ordered within a millisecond and when the clock goes back") {
  ordered_uuids ids;
  std::string before;
  for (const auto ms : {1'790'000'000'000ull, 1'790'000'000'000ull, 1'789'999'999'000ull}) {
    for (int i = 0; i < 5'000; ++i) {  // more than a millisecond has room for
      auto id = ids.next(ms);
      REQUIRE(is_uuid(id));
      CHECK(id[14] == '7');
      CHECK(std::string("89ab").find(id[19]) != std::string::npos);
      CHECK(before < id);
      before = std::move(id);
    }
  }
  ordered_uuids others;
  CHECK(others.next(0x0123456789ab).substr(0, 18) == "01234567-89ab-7000");
}
