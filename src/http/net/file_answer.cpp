#include "http/net/file_answer.hpp"

#include <algorithm>
#include <charconv>

#include "app/on_lane.hpp"
#include "core/codes.hpp"
#include "http/net/ascii.hpp"
#include "http/net/etag.hpp"
#include "http/net/problem.hpp"

namespace soma::http {
namespace {

constexpr std::size_t piece_bytes = 128 * 1024;

std::optional<std::uint64_t> number(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (ec != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

asio::awaitable<bool> send_range(app::lane& pool, std::shared_ptr<files::open_file> file,
                                 byte_range range, response_stream& out) {
  while (range.size > 0) {
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(range.size, piece_bytes));
    auto read = [file, at = range.first, bytes] { return file->read(at, bytes); };
    const auto piece = co_await app::on_lane(pool, read);
    if (piece.empty()) co_return false;
    if (!co_await out.write(piece)) co_return false;
    range.first += piece.size();
    range.size -= piece.size();
  }
  co_return true;
}

}  // namespace

asio::awaitable<bool> send_pieces(std::shared_ptr<app::piece_source> pieces, response_stream& out) {
  for (;;) {
    auto piece = co_await pieces->next();
    if (!piece) co_return false;
    if (piece->empty()) co_return true;
    if (!co_await out.write(*piece)) co_return false;
  }
}

range_kind read_range(std::string_view header, std::uint64_t size_bytes, byte_range& out) {
  constexpr std::string_view unit = "bytes=";
  out = {0, size_bytes};
  if (header.size() < unit.size() || !iequals(header.substr(0, unit.size()), unit))
    return range_kind::whole;
  header = trim(header.substr(unit.size()));
  const auto dash = header.find('-');
  if (dash == std::string_view::npos || header.find(',') != std::string_view::npos)
    return range_kind::whole;
  const auto first = number(header.substr(0, dash)), last = number(header.substr(dash + 1));
  if (dash == 0) {  // the last so many
    if (!last) return range_kind::whole;
    if (*last == 0 || size_bytes == 0) return range_kind::not_satisfiable;
    out.size = std::min(*last, size_bytes);
    out.first = size_bytes - out.size;
    return range_kind::part;
  }
  const bool open_end = dash + 1 == header.size();
  if (!first || (!last && !open_end) || (last && *last < *first)) return range_kind::whole;
  if (*first >= size_bytes) return range_kind::not_satisfiable;
  const auto end = open_end ? size_bytes - 1 : std::min(*last, size_bytes - 1);
  out = {*first, end - *first + 1};
  return range_kind::part;
}

std::string content_disposition(std::string_view filename) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  constexpr char digits[] = "0123456789ABCDEF";
  std::string ascii, extended;
  bool all_ascii = true;
  for (const char c : filename) {
    const auto byte = static_cast<unsigned char>(c);
    const bool good = byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\' && c != '%';
    all_ascii = all_ascii && good;
    ascii += good ? c : '_';
    if (plain.find(c) != std::string_view::npos)
      extended += c;
    else
      ((extended += '%') += digits[byte >> 4]) += digits[byte & 15];
  }
  auto value = "attachment; filename=\"" + ascii + '"';
  if (!all_ascii) value += "; filename*=UTF-8''" + extended;
  return value;
}

response file_answer(const request_context& ctx, app::opened_file served) {
  const auto etag = (served.version_exact ? "\"" : "W/\"") + served.version + '"';
  response answer;
  answer.cache_control = "private, no-cache";
  answer.content_security_policy = "default-src 'none'; sandbox; frame-ancestors 'none'";
  answer.headers.emplace_back("ETag", etag);
  if (const auto known = ctx.header("If-None-Match");
      !known.empty() && any_etag_matches(known, etag)) {
    answer.status = 304;
    return answer;
  }
  byte_range range{0, served.size_bytes};
  const auto condition = trim(ctx.header("If-Range"));
  auto asked = range_kind::whole;
  // Of a HEAD there is no part (RFC 9110, 14.2).
  if (ctx.verb == verb::get &&
      (condition.empty() || (condition == etag && !condition.starts_with("W/"))))
    asked = read_range(ctx.header("Range"), served.size_bytes, range);
  const auto total = std::to_string(served.size_bytes);
  if (asked == range_kind::not_satisfiable) {
    auto refused =
        problem(error(codes::range_not_satisfiable, "the file has " + total + " bytes"), ctx);
    refused.headers.emplace_back("Content-Range", "bytes */" + total);
    return refused;
  }
  if (asked == range_kind::part) {
    answer.status = 206;
    answer.headers.emplace_back("Content-Range", "bytes " + std::to_string(range.first) + '-' +
                                                     std::to_string(range.first + range.size - 1) +
                                                     '/' + total);
  }
  answer.content_type = {};
  answer.headers.emplace_back("Content-Type", std::move(served.content_type));
  answer.headers.emplace_back("Accept-Ranges", "bytes");
  answer.headers.emplace_back("Content-Disposition", content_disposition(served.filename));
  answer.produced_bytes = range.size;
  answer.produce = [reads = served.reads, file = std::move(served.file),
                    range](response_stream& out) { return send_range(*reads, file, range, out); };
  return answer;
}

}  // namespace soma::http
