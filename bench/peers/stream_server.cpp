#include "peers/stream_server.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace soma::bench {
namespace {
constexpr std::string_view stamp_key = "\"t\":";
}

std::string stamped_payload(std::int64_t stamp_ns, std::size_t size) {
  std::string text = "{\"t\":" + std::to_string(stamp_ns) + ",\"p\":\"";
  text.append(size - std::min(size, text.size() + 2), 'x');
  return text += "\"}";
}

std::int64_t stamp_of(std::string_view data) {
  const auto* at = static_cast<const char*>(
      ::memmem(data.data(), data.size(), stamp_key.data(), stamp_key.size()));
  std::int64_t stamp = -1;
  if (at != nullptr) std::from_chars(at + stamp_key.size(), data.data() + data.size(), stamp);
  return stamp;
}

}  // namespace soma::bench
