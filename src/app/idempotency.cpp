#include "app/idempotency.hpp"

#include "app/on_lane.hpp"
#include "core/codes.hpp"
#include "core/time.hpp"

namespace soma::app {

error bad_idempotency_key() {
  return error(codes::request_invalid_parameter,
               "an idempotency key is 1 to 255 printable ASCII characters")
      .about("Idempotency-Key");
}

namespace {

namespace asio = boost::asio;

constexpr std::size_t key_bytes_max = 255;

bool printable(std::string_view key) {
  for (const char c : key)
    if (c < 0x20 || c > 0x7E) return false;
  return true;
}

}  // namespace

asio::awaitable<result<idempotency_gate::entry>> idempotency_gate::enter(const caller& who,
                                                                         asked what) {
  entry in;
  if (what.key.empty()) co_return in;
  if (what.key.size() > key_bytes_max || !printable(what.key)) co_return bad_idempotency_key();
  const auto scoped = [&](std::string_view operation, std::string_view subject) {
    std::string out;
    for (const std::string_view part :
         {std::string_view(who.tenant.value), std::string_view(who.user.value), operation, subject})
      out.append(part).push_back('\n');
    return out + what.key;
  };
  in.key = scoped(what.operation, what.subject);
  in.also_mine = std::move(what.also_mine);
  in.hash = std::move(what.hash);
  in.old_hash = std::move(what.old_hash);
  if (!what.old_operation.empty()) in.old_key = scoped(what.old_operation, what.old_subject);
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
  auto found = co_await on_lane(pool_, find);
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

asio::awaitable<result<void>> idempotency_gate::find_twin(entry& in, error why) {
  if (in.key.empty() || why.code != codes::idempotency_exists) co_return why;
  auto looked = co_await look(in);
  if (!looked) co_return looked.error();
  if (in.replay) co_return result<void>();
  co_return error(codes::server_busy, "the request was carried out a while ago", 1);
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

}  // namespace soma::app
