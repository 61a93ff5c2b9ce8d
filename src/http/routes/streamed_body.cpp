#include "app/on_lane.hpp"
#include "http/routes/file_routes.hpp"

namespace soma::http {
namespace {

constexpr std::size_t piece_bytes = 256 * 1024;  // between two threads

}  // namespace

asio::awaitable<result<void>> each_piece(app::file_services& f, request_context& ctx,
                                         std::function<result<void>(std::string_view)> take) {
  std::string piece;
  for (bool end = !ctx.stream; !end;) {
    auto bytes = co_await ctx.stream->read_some();
    if (!bytes) co_return bytes.error();
    end = bytes->empty();
    piece += *bytes;
    if (piece.size() < piece_bytes && !end) continue;
    auto feed = [take, piece = std::exchange(piece, {})] { return take(piece); };
    auto fed = co_await app::on_lane(f.pool, feed);
    if (!fed) co_return fed;
  }
  co_return result<void>();
}

}  // namespace soma::http
