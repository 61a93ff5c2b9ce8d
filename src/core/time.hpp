// Wall-clock time as milliseconds since 1970 UTC, and its RFC 3339 text with milliseconds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace soma {

std::int64_t now_ms();

// "2026-01-31T12:00:00.123Z"; defined for years 1970 to 9999.
std::string format_rfc3339(std::int64_t ms);

// Reads what format_rfc3339 writes; -1 when the text is not of that form.
std::int64_t parse_rfc3339(std::string_view text);

}  // namespace soma
