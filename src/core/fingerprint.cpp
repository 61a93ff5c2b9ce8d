#include "core/fingerprint.hpp"

#include <cstddef>

namespace soma {

std::string fingerprint_text(std::uint64_t of) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out(16, '0');
  for (std::size_t i = out.size(); i-- > 0; of >>= 4) out[i] = digits[of & 15];
  return out;
}

}  // namespace soma
