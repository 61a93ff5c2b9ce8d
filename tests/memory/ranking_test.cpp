#include "memory/ranking.hpp"

#include <doctest/doctest.h>

using namespace soma::memory;

TEST_CASE("ranking: what two rankings have is before what one has; ties by id") {
  const auto all = fuse({{{"a", "b", "c"}, 1}, {{"c", "d"}, 1}});
  REQUIRE(all.size() == 4);
  CHECK(all[0].id == "c");
  CHECK(all[1].id == "a");
  CHECK(all[2].id == "b");
  CHECK(all[3].id == "d");
  CHECK(all[0].score == doctest::Approx(1.0 / 63 + 1.0 / 61));
  const auto even = fuse({{{"z"}, 1}, {{"b"}, 1}});
  CHECK(even[0].id == "b");
}

TEST_CASE("ranking: one session does not fill the answer before others had their turn") {
  const auto order = diversified({"s", "s", "s", "s", "s", "t", "", "", "", ""});
  CHECK(order == std::vector<std::size_t>{0, 1, 2, 5, 6, 7, 8, 9, 3, 4});
}

TEST_CASE("ranking: of a long text what stands around the question's word is given") {
  std::string text(5000, '.');
  text += " the daughter is Ada ";
  text += std::string(5000, '.');
  const auto piece = excerpt(text, "my daughter", 200);
  CHECK(piece.size() <= 200);
  CHECK(piece.find("daughter is Ada") != std::string::npos);
  CHECK(piece.starts_with("…"));
  CHECK(piece.ends_with("…"));
  CHECK(excerpt("short", "x", 200) == "short");
  CHECK(excerpt(std::string(300, 'x'), "", 100).starts_with("xxx"));
}
