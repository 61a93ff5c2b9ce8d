#include "core/chunked.hpp"

#include <cassert>

namespace soma {

std::size_t begin_chunk(std::string& out) {
  const auto place = out.size();
  out.append("000000\r\n");
  return place;
}

void end_chunk(std::string& out, std::size_t place) {
  constexpr char digits[] = "0123456789abcdef";
  auto left = out.size() - place - chunk_head_bytes;
  assert(left > 0 && left <= chunk_content_max);
  for (std::size_t i = 6; i-- > 0; left >>= 4) out[place + i] = digits[left & 15];
  out.append("\r\n");
}

void append_chunks(std::string& out, std::string_view content) {
  while (!content.empty()) {
    const auto piece = content.substr(0, chunk_content_max);
    const auto place = begin_chunk(out);
    end_chunk(out.append(piece), place);
    content.remove_prefix(piece.size());
  }
}

}  // namespace soma
