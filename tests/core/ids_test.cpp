#include "core/ids.hpp"

#include <doctest/doctest.h>

using namespace soma;

TEST_CASE("event id: reads what it writes, up to its bounds") {
  for (const event_id id : {event_id{0, 0}, event_id{3, 42}, event_id{UINT32_MAX, UINT64_MAX}})
    CHECK(parse_event_id(to_string(id)) == id);
}

TEST_CASE("event id: refuses every other text") {
  for (const char* bad :
       {"", ".", "1", "1.", ".1", "1.2.3", "01.2", "1.02", "-1.2", "1.-2", "+1.2", " 1.2", "1.2 ",
        "1,2", "a.b", "4294967296.1", "1.18446744073709551616", "0x1.2", "1. 2"})
    CHECK_FALSE(parse_event_id(bad).has_value());
}
