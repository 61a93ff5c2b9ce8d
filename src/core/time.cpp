#include "core/time.hpp"

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <string>

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
  const auto year = static_cast<int>(date.year());
  // No printf: every event and every record has its time, and this is written once for each.
  std::string text = "0000-00-00T00:00:00.000Z";
  const auto put = [&text](std::size_t last, int digits, auto value) {
    for (auto left = static_cast<unsigned>(value); digits > 0; --digits, --last, left /= 10)
      text[last] = static_cast<char>('0' + left % 10);
  };
  put(6, 2, static_cast<unsigned>(date.month()));
  put(9, 2, static_cast<unsigned>(date.day()));
  put(12, 2, clock.hours().count());
  put(15, 2, clock.minutes().count());
  put(18, 2, clock.seconds().count());
  put(22, 3, clock.subseconds().count());
  if (year >= 0 && year <= 9999) {
    put(3, 4, year);
    return text;
  }
  auto digits = std::to_string(std::abs(year));  // of a clock that is wrong
  if (digits.size() < 4) digits.insert(0, 4 - digits.size(), '0');
  return (year < 0 ? "-" : "") + digits + text.substr(4);
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
