// clock: {timezone?} → {utc, local, timezone, offset, weekday, unix_ms}. Time zones are names of
// IANA's database, as the machine has it. At once, on the caller's thread, but for the first use of
// a time zone, which reads its file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "tools/tool.hpp"

namespace soma::tools {

// `now_ms`: since 1970 UTC.
std::unique_ptr<tool> make_clock(std::function<std::int64_t()> now_ms);

}  // namespace soma::tools
