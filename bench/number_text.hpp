// Numbers as a person reads them.
#pragma once

#include <cstddef>
#include <string>

namespace soma::bench {

// "5,000". Digits only: no sign, no point.
inline std::string with_commas(std::string digits) {
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return digits;
}

inline std::string with_commas(std::size_t number) {
  return with_commas(std::to_string(number));
}

}  // namespace soma::bench
