#include "http/file_services.hpp"

#include "http/on_reader.hpp"

namespace soma::http {
namespace {

constexpr std::size_t piece_bytes = 256 * 1024;  // between two threads

}  // namespace

asio::awaitable<result<void>> each_piece(file_services& f, request_context& ctx,
                                         std::function<result<void>(std::string_view)> take) {
  std::string piece;
  for (bool end = !ctx.stream; !end;) {
    auto bytes = co_await ctx.stream->read_some();
    if (!bytes) co_return bytes.error();
    end = bytes->empty();
    piece += *bytes;
    if (piece.size() < piece_bytes && !end) continue;
    auto feed = [take, piece = std::exchange(piece, {})] { return take(piece); };
    auto fed = co_await on_reader(f.pool, feed);
    if (!fed) co_return fed;
  }
  co_return result<void>();
}

}  // namespace soma::http
