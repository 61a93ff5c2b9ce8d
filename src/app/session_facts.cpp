#include "app/session_facts.hpp"

#include <mutex>

#include "app/on_lane.hpp"
#include "core/codes.hpp"
#include "core/uuid.hpp"

namespace soma::app {

std::optional<known_fact> fact_table::known(const session_key& key) const {
  const std::lock_guard lock(mutex_);
  const auto at = rows_.find(key);
  return at == rows_.end() ? std::optional<known_fact>() : at->second;
}

result<known_fact> fact_table::read(const log_reader& log, const session_key& key) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = rows_.find(key); at != rows_.end()) return at->second;
    ++reading_[key].readers;
  }
  const auto head = log.head(key);
  const bool is_gone = !head && head.error().code == codes::session_not_found;
  known_fact fact;
  if (head) fact = std::make_shared<const session_fact>(fact_of(head->info));
  const std::lock_guard lock(mutex_);
  const auto mine = reading_.find(key);
  // What was read may be older than what the writer has told since.
  const auto newer = mine->second.newer;
  if (--mine->second.readers == 0) reading_.erase(mine);
  if (newer) fact = *newer;
  if (!newer && !head && !is_gone) return head.error();
  if (!fact) return fact;
  if (rows_.size() >= rows_max) rows_.clear();
  rows_.insert_or_assign(key, fact);
  return fact;
}

known_fact fact_table::note(const session_key& key, const session_info* info) {
  const std::lock_guard lock(mutex_);
  const auto known = rows_.find(key);
  const auto before = known == rows_.end() ? known_fact() : known->second;
  const auto read = reading_.find(key);
  if (!before && read == reading_.end()) return before;
  known_fact now;
  if (info && before && before->owner == info->user_id && before->shared == info->sharing)
    now = before;
  else if (info)
    now = std::make_shared<const session_fact>(fact_of(*info));
  if (read != reading_.end()) read->second.newer = now;
  if (before && now)
    known->second = std::move(now);
  else if (before)
    rows_.erase(known);
  return before;
}

known_fact fact_table::changed(const session_key& key, const session_info* info) {
  auto before = note(key, info);
  if (!before || !info || *before == fact_of(*info)) return before;
  const std::lock_guard lock(told_mutex_);
  if (told_) told_(key, fact_of(*info));
  return before;
}

void fact_table::on_changed(changed_handler told) {
  const std::lock_guard lock(told_mutex_);
  told_ = std::move(told);
}

boost::asio::awaitable<result<session_facts::looked>> session_facts::of(session_key key) {
  looked out;
  if (!is_uuid(key.session.value)) co_return out;
  if (auto fact = table_.known(key)) {
    out.fact = std::move(*fact);
    co_return out;
  }
  auto look = [this, key = std::move(key)] { return table_.read(log_, key); };
  auto fact = co_await on_lane(lane_, std::move(look));
  if (!fact) co_return fact.error();
  out.fact = std::move(*fact);
  out.read = true;
  co_return out;
}

boost::asio::awaitable<void> session_facts::pass_time(session_key key) {
  auto look = [this, key = std::move(key)] { return log_.head(key); };
  (void)co_await on_lane(lane_, std::move(look));
}

std::optional<bool> session_sight::sees(const tenant_id& tenant, std::string_view user,
                                        std::string_view session) const {
  const session_key key{tenant, session_id(std::string(session))};
  if (!is_uuid(key.session.value)) return std::nullopt;
  const auto fact = table_.read(log_, key);
  if (!fact) return false;
  if (!*fact) return std::nullopt;
  return may_see(user, **fact);
}

}  // namespace soma::app
