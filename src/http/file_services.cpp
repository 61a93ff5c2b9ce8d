#include "http/file_services.hpp"

#include "http/on_reader.hpp"

namespace soma::http {
namespace {

constexpr std::size_t piece_bytes = 256 * 1024;  // between two threads
// Tenants whose places may all be taken at once: each body holds a piece in memory and a
// descriptor.
constexpr std::size_t busy_tenants_max = 8;

}  // namespace

upload_places::upload_places(std::size_t tenant_max)
    : tenant_max_(tenant_max),
      user_max_(tenant_max - tenant_max / 4),
      all_max_(tenant_max * busy_tenants_max) {}

bool upload_places::take(const tenant_id& tenant, const user_id& user) {
  const std::lock_guard hold(mutex_);
  const auto count = [](const auto& in, const auto& key) {
    const auto at = in.find(key);
    return at == in.end() ? std::size_t{0} : at->second;
  };
  const std::pair person(tenant, user);
  if (all_ >= all_max_ || count(of_tenants_, tenant) >= tenant_max_ ||
      count(of_users_, person) >= user_max_)
    return false;
  ++all_;
  ++of_tenants_[tenant];
  ++of_users_[person];
  return true;
}

void upload_places::give_back(const tenant_id& tenant, const user_id& user) {
  const std::lock_guard hold(mutex_);
  --all_;
  if (const auto at = of_tenants_.find(tenant); --at->second == 0) of_tenants_.erase(at);
  if (const auto at = of_users_.find({tenant, user}); --at->second == 0) of_users_.erase(at);
}

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
