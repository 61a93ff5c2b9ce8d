// A file of the disk as an answer: conditional requests (If-None-Match, If-Range), one byte range
// (RFC 9110), a Content-Disposition that saves it under its name (RFC 6266). Sent in pieces that
// are read on a lane; never whole in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "app/opened_file.hpp"
#include "app/piece_source.hpp"
#include "http/net/request_context.hpp"
#include "http/net/response.hpp"

namespace soma::http {

// A file that is shorter than said cuts the connection.
response file_answer(const request_context& ctx, app::opened_file file);

// False: the connection is to be cut, so that its reader sees that not all of it came.
asio::awaitable<bool> send_pieces(std::shared_ptr<app::piece_source> pieces, response_stream& out);

struct byte_range {
  std::uint64_t first = 0, size = 0;
};
enum class range_kind : std::uint8_t { whole, part, not_satisfiable };
// What a Range header asks of so many bytes. More than one range, and what is no range of bytes,
// asks for the whole.
range_kind read_range(std::string_view header, std::uint64_t size_bytes, byte_range& out);

// `attachment`, with the name for old readers in ASCII and, where that is not all of it, in UTF-8.
std::string content_disposition(std::string_view filename);

}  // namespace soma::http
