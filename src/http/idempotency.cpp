#include "http/idempotency.hpp"

#include "core/codes.hpp"
#include "core/json_member.hpp"
#include "core/time.hpp"
#include "http/on_reader.hpp"
#include "security/digest.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

constexpr std::size_t key_bytes_max = 255;

bool printable(std::string_view key) {
  for (const char c : key)
    if (c < 0x20 || c > 0x7E) return false;
  return true;
}

// White space, escapes and the order of members make no other request.
std::string hash_of(std::string_view body) {
  const auto canonical = canonical_json(body);
  const std::string_view hashed = canonical.empty() ? body : std::string_view(canonical);
  return security::hex(security::bytes_of(security::sha256(hashed)));
}

}  // namespace

asio::awaitable<result<idempotency_gate::entry>> idempotency_gate::enter(
    request_context& ctx, std::string key, std::string request_hash, std::string operation,
    std::function<bool(const storage::idempotency_record&)> also_mine) {
  entry in;
  in.also_mine = std::move(also_mine);
  // A key that is sent is one, so an empty one is none that could be kept.
  const bool empty_header =
      ctx.has_header("Idempotency-Key") && ctx.header("Idempotency-Key").empty();
  if (key.empty() && !empty_header) co_return in;
  if (empty_header || key.size() > key_bytes_max || !printable(key))
    co_return error(codes::request_invalid_parameter,
                    "an idempotency key is 1 to 255 printable ASCII characters")
        .about("Idempotency-Key");
  const bool own = operation.empty();
  in.key = ctx.identity.tenant.value + '\n' + ctx.identity.user.value + '\n' +
           (own ? std::string(ctx.operation_id) : operation) + '\n' +
           (own ? std::string(ctx.path_parameter("id")) : std::string()) + '\n' + key;
  in.old_hash = security::hex(security::bytes_of(security::sha256(ctx.body)));
  if (!own)
    in.old_key = ctx.identity.tenant.value + '\n' + ctx.identity.user.value + '\n' +
                 std::string(ctx.operation_id) + '\n' + std::string(ctx.path_parameter("id")) +
                 '\n' + key;
  in.hash = request_hash.empty() ? hash_of(ctx.body) : std::move(request_hash);
  for (;;) {
    auto home = co_await asio::this_coro::executor;
    bool mine = false;
    auto begin = [this, &in, &mine, home](auto handler) {
      auto kept = std::make_shared<decltype(handler)>(std::move(handler));
      std::function<void()> resume = [kept, home] {
        asio::post(home, [kept] { std::move (*kept)(); });
      };
      mine = occupy(in.key, resume);
      if (mine) resume();
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(begin,
                                                                          asio::use_awaitable);
    if (mine) break;
  }
  in.held.emplace(this, in.key);
  auto looked = co_await look(in);
  if (!looked) co_return looked.error();
  if (in.replay) in.held.reset();
  co_return in;
}

asio::awaitable<result<bool>> idempotency_gate::look(entry& in) {
  auto find = [log = &log_, key = in.key, old = in.old_key] {
    auto found = log->find_idempotency(key);
    return found && !*found && !old.empty() ? log->find_idempotency(old) : std::move(found);
  };
  auto found = co_await on_reader(pool_, find);
  if (!found) co_return found.error();
  // One that is too old is as good as gone, whether it has been tidied away or not.
  if (!*found || (*found)->created_at_ms <= now_ms() - ttl_ms_) co_return false;
  const auto& hash = (*found)->request_hash;
  if (hash != in.hash && hash != in.old_hash && !(in.also_mine && in.also_mine(**found)))
    co_return error(codes::idempotency_mismatch,
                    "this idempotency key was used with another request");
  in.replay = std::move(**found);
  co_return true;
}

storage::idempotency_record idempotency_gate::record_of(const entry& in, int status,
                                                        std::string body) const {
  return {in.key, in.hash, status, std::move(body), now_ms(), ttl_ms_};
}

// True: the caller is the first. False: `resume` is called when the one before has left.
bool idempotency_gate::occupy(const std::string& scoped, std::function<void()>& resume) {
  std::lock_guard lock(mutex_);
  auto [at, fresh] = in_flight_.try_emplace(scoped);
  if (!fresh) at->second.push_back(resume);
  return fresh;
}

void idempotency_gate::leave(const std::string& scoped) {
  std::vector<std::function<void()>> waiting;
  {
    std::lock_guard lock(mutex_);
    auto node = in_flight_.extract(scoped);
    if (!node.empty()) waiting = std::move(node.mapped());
  }
  for (auto& resume : waiting) resume();
}

}  // namespace soma::http
