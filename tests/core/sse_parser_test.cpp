#include "core/sse_parser.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace soma;

namespace {

struct read_all {
  std::vector<std::string> seen;  // data, and the last id as of it
  sse_parser parser;

  explicit read_all(std::size_t bytes_max = 1000) : parser(bytes_max) {}
  bool feed(std::string_view bytes) {
    return parser.feed(bytes, [&](std::string_view data) { take(data); });
  }
  bool finish() {
    return parser.finish([&](std::string_view data) { take(data); });
  }
  void take(std::string_view data) {
    seen.push_back(std::string(data) + " @" + parser.last_event_id());
  }
};

}  // namespace

TEST_CASE("event streams: cut at any two bytes they say the same") {
  const std::string wire =
      "\xEF\xBB\xBF"
      "data: first\n\n: comment\r\nid: 7\r\ndata: one\r\ndata\r\ndata:  three\r\n\r\n"
      "event: x\rdata:by cr\r\rdata:\n\nretry: 20\nid:8\n\nid: 9\ndata: last";
  const std::vector<std::string> wanted = {"first @", "one\n\n three @7", "by cr @7", " @7",
                                           "last @9"};
  for (std::size_t a = 0; a <= wire.size(); ++a)
    for (std::size_t b = a; b <= wire.size(); ++b) {
      CAPTURE(a);
      CAPTURE(b);
      read_all got;
      REQUIRE(got.feed(std::string_view(wire).substr(0, a)));
      REQUIRE(got.feed(std::string_view(wire).substr(a, b - a)));
      REQUIRE(got.feed(std::string_view(wire).substr(b)));
      REQUIRE(got.finish());
      REQUIRE(got.seen == wanted);
      REQUIRE(got.parser.retry_ms() == 20u);
    }
}

TEST_CASE("event streams: a line and an event have a bound, cut or not") {
  const std::string line = "data: " + std::string(30, 'x') + "\n";
  for (std::size_t cut = 0; cut < line.size(); ++cut) {
    read_all fits(36), long_line(35), long_event(36);
    CHECK(fits.feed(line.substr(0, cut)));
    CHECK(fits.feed(line.substr(cut) + "\n"));
    CHECK(fits.seen.size() == 1);
    CHECK_FALSE((long_line.feed(line.substr(0, cut)) && long_line.feed(line.substr(cut) + "\n")));
    CHECK(long_line.seen.empty());
    CHECK_FALSE(
        (long_event.feed(line.substr(0, cut)) && long_event.feed(line.substr(cut) + line + "\n")));
    CHECK(long_event.seen.empty());
  }
}
