#include "app/body_source.hpp"

#include <string>
#include <utility>

#include "app/on_lane.hpp"

namespace soma::app {

boost::asio::awaitable<result<void>> each_piece(
    lane& where, std::string whose, body_source* body,
    std::function<result<void>(std::string_view)> take) {
  std::string piece;
  for (bool end = !body; !end;) {
    auto bytes = co_await body->read_some();
    if (!bytes) co_return bytes.error();
    end = bytes->empty();
    piece += *bytes;
    if (piece.size() < handed_on_bytes && !end) continue;
    auto feed = [take, piece = std::exchange(piece, {})] { return take(piece); };
    auto fed = co_await on_lane(where, whose, feed);
    if (!fed) co_return fed;
  }
  co_return result<void>();
}

}  // namespace soma::app
