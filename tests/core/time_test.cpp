#include "core/time.hpp"

#include <doctest/doctest.h>

using namespace soma;

TEST_CASE("time: reads what it writes, over leap days and to the year 9999") {
  CHECK(format_rfc3339(0) == "1970-01-01T00:00:00.000Z");
  CHECK(format_rfc3339(951'782'400'001) == "2000-02-29T00:00:00.001Z");
  for (std::int64_t ms = 0; ms < 253'402'300'800'000; ms += 86'399'999'977)
    CHECK(parse_rfc3339(format_rfc3339(ms)) == ms);
  // A clock can be anything.
  CHECK(format_rfc3339(253'402'300'800'000) == "10000-01-01T00:00:00.000Z");
  CHECK(format_rfc3339(-62'167'219'200'001) == "-0001-12-31T23:59:59.999Z");
}

TEST_CASE("time: refuses what is no time") {
  for (const char* bad :
       {"", "2026-01-31T12:00:00Z", "2026-02-30T12:00:00.000Z", "2100-02-29T00:00:00.000Z",
        "2026-01-31T24:00:00.000Z", "2026-01-31T12:60:00.000Z", "2026-01-31T12:00:60.000Z",
        "2026-01-31 12:00:00.000Z", "2026-01-31T12:00:00.000z", "2026-13-01T12:00:00.000Z",
        "-026-01-31T12:00:00.000Z", "2026-01-31T12:00:00.-00Z", "2026-01-31T12:00:00.+00Z"})
    CHECK(parse_rfc3339(bad) == -1);
}
