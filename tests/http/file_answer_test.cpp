#include <doctest/doctest.h>

#include "http/net/file_answer.hpp"

using namespace soma::http;

namespace {

struct asked {
  range_kind kind;
  std::uint64_t first, size;
  bool operator==(const asked&) const = default;
};

asked read(std::string_view header, std::uint64_t size_bytes) {
  byte_range range;
  const auto kind = read_range(header, size_bytes, range);
  return {kind, range.first, range.size};
}

constexpr asked whole_of_ten{range_kind::whole, 0, 10};

}  // namespace

TEST_CASE("byte range: one range is cut to the file, several and nonsense are the whole") {
  CHECK(read("bytes=0-0", 10) == asked{range_kind::part, 0, 1});
  CHECK(read("Bytes=3-", 10) == asked{range_kind::part, 3, 7});
  CHECK(read("bytes=8-100", 10) == asked{range_kind::part, 8, 2});
  CHECK(read("bytes=-3", 10) == asked{range_kind::part, 7, 3});
  CHECK(read("bytes=-30", 10) == asked{range_kind::part, 0, 10});
  for (const auto* header :
       {"", "bytes", "bytes=", "bytes=-", "bytes=5", "bytes=5-4", "bytes=a-b", "bytes=0-1,3-4",
        "items=0-1", "bytes=1-2x", "bytes=--1", "bytes=+1-2", "bytes=99999999999999999999-"}) {
    CAPTURE(header);
    CHECK(read(header, 10) == whole_of_ten);
  }
}

TEST_CASE("byte range: one that holds no byte of the file cannot be satisfied") {
  CHECK(read("bytes=10-", 10).kind == range_kind::not_satisfiable);
  CHECK(read("bytes=10-11", 10).kind == range_kind::not_satisfiable);
  CHECK(read("bytes=-0", 10).kind == range_kind::not_satisfiable);
  CHECK(read("bytes=0-", 0).kind == range_kind::not_satisfiable);
  CHECK(read("bytes=-1", 0).kind == range_kind::not_satisfiable);
  CHECK(read("bytes=18446744073709551615-18446744073709551615", 10).kind ==
        range_kind::not_satisfiable);
}

TEST_CASE(
    "content disposition: every name is quoted in ASCII and, where it is more, said in UTF-8") {
  CHECK(content_disposition("a b.txt") == "attachment; filename=\"a b.txt\"");
  CHECK(content_disposition("a\"b\\c%") ==
        "attachment; filename=\"a_b_c_\"; filename*=UTF-8''a%22b%5Cc%25");
  CHECK(content_disposition("\xc3\xa9;") ==
        "attachment; filename=\"__;\"; filename*=UTF-8''%C3%A9%3B");
  CHECK(content_disposition("a\r\nb").find('\n') == std::string::npos);
}
