#include "app/session_facts.hpp"

#include <mutex>

#include "app/on_lane.hpp"
#include "core/codes.hpp"
#include "core/uuid.hpp"

namespace soma::app {

std::optional<session_fact> session_facts::known(const session_key& key) const {
  const std::lock_guard lock(mutex_);
  const auto at = rows_.find(key);
  return at == rows_.end() ? std::optional<session_fact>() : at->second;
}

boost::asio::awaitable<result<std::optional<session_fact>>> session_facts::of(session_key key) {
  if (!is_uuid(key.session.value)) co_return std::optional<session_fact>();
  auto fact = known(key);
  if (fact) co_return fact;
  auto look = [log = log_, key] { return log.head(key); };
  auto head = co_await on_lane(lane_, look);
  if (!head && head.error().code == codes::session_not_found)
    co_return std::optional<session_fact>();
  if (!head) co_return head.error();
  fact.emplace();
  fact->owner = head->info.user_id;
  const std::lock_guard lock(mutex_);
  if (rows_.size() >= rows_max) rows_.clear();
  rows_.insert_or_assign(std::move(key), *fact);
  co_return fact;
}

}  // namespace soma::app
