#include "observability/log.hpp"

#include <doctest/doctest.h>

using namespace soma;
using namespace std::chrono_literals;

static_assert(!std::is_constructible_v<log_field, std::string_view, secret_string>);
static_assert(!std::is_constructible_v<log_field, std::string_view, const secret_string&>);

TEST_CASE("log: a line is JSON, with its context and without what is redacted") {
  CHECK(format_log_line(log_format::json, 0, log_level::warn, "llm.slow",
                        {{"text", redacted{5}},
                         {"name", "a\"\n"},
                         {"n", -3},
                         {"big", UINT64_MAX},
                         {"ok", true},
                         {"took_ms", 1500us}},
                        {"r1", {}, "s1", {}, {}}) ==
        R"({"at":"1970-01-01T00:00:00.000Z","level":"warn","event":"llm.slow","request_id":"r1",)"
        R"("session_id":"s1","text":"<5 bytes>","name":"a\"\n","n":-3,)"
        R"("big":18446744073709551615,"ok":true,"took_ms":1.5})");
}

TEST_CASE("log: a line of text stays one line") {
  const auto line =
      format_log_line(log_format::text, 0, log_level::info, "x", {{"v", "two\nlines"}}, {});
  CHECK(line == R"(1970-01-01T00:00:00.000Z info x v="two\nlines")");
}

TEST_CASE("log: a warning that repeats passes once in its time and counts the rest") {
  log_limit limit(1s);
  const std::chrono::steady_clock::time_point start{};
  std::uint64_t held_back = 99;
  CHECK(limit.pass(start, held_back));
  CHECK(held_back == 0);
  CHECK_FALSE(limit.pass(start + 1ms, held_back));
  CHECK_FALSE(limit.pass(start + 999ms, held_back));
  CHECK(limit.pass(start + 1s, held_back));
  CHECK(held_back == 2);
}
