// HTTP/1.1's chunked coding (RFC 9112, 7.1), for bytes that are encoded once and sent to many: a
// chunk whose head has a fixed size, so that its content is found without reading it. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace soma {

// Six hexadecimal digits (leading zeros are allowed) and CR LF; after the content CR LF.
inline constexpr std::size_t chunk_head_bytes = 8, chunk_tail_bytes = 2;
inline constexpr std::size_t chunk_content_max = 0xffffff;
// What ends a body that is whole; a body without it was cut.
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

// Begins a chunk at the end of `out` and gives the place for end_chunk(), which is called after its
// content was appended: not empty, and no more than chunk_content_max.
std::size_t begin_chunk(std::string& out);
void end_chunk(std::string& out, std::size_t place);

// As one chunk, or several where it is larger than one may be; nothing for nothing.
void append_chunks(std::string& out, std::string_view content);
inline std::string as_chunks(std::string_view content) {
  std::string out;
  append_chunks(out, content);
  return out;
}

// The content of what holds exactly one chunk of ours.
inline std::string_view chunk_content(std::string_view chunk) {
  return chunk.substr(chunk_head_bytes, chunk.size() - chunk_head_bytes - chunk_tail_bytes);
}

}  // namespace soma
