// Feeds any bytes to the reader of an event's envelope: what it takes, it writes and reads again to
// the same text, which is one line.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/event.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto first = soma::decode({reinterpret_cast<const char*>(data), size});
  if (!first) return 0;
  const std::string text = soma::encode(*first);
  require(text.find('\n') == std::string::npos);
  const auto second = soma::decode(text);
  require(second.has_value());
  require(soma::encode(*second) == text);
  return 0;
}
