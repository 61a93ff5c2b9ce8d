#include "core/time.hpp"

#include <charconv>
#include <chrono>
#include <cstdio>

namespace soma {

std::int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::string format_rfc3339(std::int64_t ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds{ms}};
  const auto day = floor<days>(at);
  const year_month_day date{day};
  const hh_mm_ss clock{at - day};
  char text[40];
  const int n = std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return std::string(text, static_cast<std::size_t>(n));
}

std::int64_t parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  if (text.size() != 24 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
      text[16] != ':' || text[19] != '.' || text[23] != 'Z')
    return -1;
  bool good = true;
  auto number = [&](std::size_t from, std::size_t length) {
    int value = -1;
    const auto* begin = text.data() + from;
    const auto [end, ec] = std::from_chars(begin, begin + length, value);
    // A sign would be taken, too: "-00" is no negative number.
    good = good && *begin != '-' && ec == std::errc{} && end == begin + length;
    return value;
  };
  const int y = number(0, 4), mo = number(5, 2), d = number(8, 2), h = number(11, 2),
            mi = number(14, 2), s = number(17, 2), ms = number(20, 3);
  if (!good) return -1;
  const year_month_day date{year{y}, month{static_cast<unsigned>(mo)},
                            day{static_cast<unsigned>(d)}};
  if (!date.ok() || h > 23 || mi > 59 || s > 59) return -1;
  return duration_cast<milliseconds>(sys_days{date}.time_since_epoch() + hours{h} + minutes{mi} +
                                     seconds{s} + milliseconds{ms})
      .count();
}

}  // namespace soma
