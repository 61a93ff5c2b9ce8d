#include "outbox/send_plan.hpp"

#include <algorithm>

namespace soma::outbox {

void send_plan::add(std::uint64_t number, const row_facts& facts) {
  const auto [at, fresh] = rows_.try_emplace(number);
  if (!fresh) return;
  at->second.order = facts.order;
  at->second.group = facts.group;
  auto& queue = orders_[facts.order];
  queue.push_back(number);
  if (queue.size() == 1) heads_.insert(number);
}

std::optional<std::uint64_t> send_plan::oldest() const {
  return rows_.empty() ? std::nullopt : std::optional(rows_.begin()->first);
}

// While it is not known whether the sink is there, one batch finds out.
bool send_plan::may_begin(std::int64_t now_ms) const {
  return now_ms >= not_before_ && in_flight_.size() < (failures_ > 0 ? 1 : limits_.in_flight_max);
}

send_plan::batch send_plan::begin(std::vector<std::uint64_t> numbers) {
  const auto id = next_batch_++;
  in_flight_.emplace(id, numbers);
  return {id, std::move(numbers)};
}

std::optional<send_plan::batch> send_plan::next(std::int64_t now_ms) {
  if (!may_begin(now_ms)) return std::nullopt;
  if (!halves_.empty()) {
    auto numbers = std::move(halves_.front());
    halves_.pop_front();
    return begin(std::move(numbers));
  }
  std::vector<std::uint64_t> due, numbers;
  for (const auto number : heads_)
    if (rows_.at(number).not_before <= now_ms) due.push_back(number);
  // Whether the sink is there is found out by a row that failed the least: by the oldest it would
  // not be, where it is that row by which the sink fails.
  if (failures_ > 0)
    std::stable_sort(due.begin(), due.end(), [&](std::uint64_t a, std::uint64_t b) {
      return rows_.at(a).failures < rows_.at(b).failures;
    });
  auto most = std::min(limits_.batch_rows_max, batch_max_);
  const std::string* group = nullptr;
  for (const auto number : due) {
    const auto& one = rows_.at(number);
    if (group && one.group != *group) continue;
    const auto then = std::min(most, one.batch_max);
    if (numbers.size() + 1 > then) continue;  // it goes with fewer
    most = then;
    group = &one.group;
    numbers.push_back(number);
    if (numbers.size() == most) break;
  }
  if (numbers.empty()) return std::nullopt;
  std::sort(numbers.begin(), numbers.end());
  for (const auto number : numbers) heads_.erase(number);
  return begin(std::move(numbers));
}

std::optional<std::int64_t> send_plan::wake_at() const {
  if (in_flight_.size() >= (failures_ > 0 ? 1 : limits_.in_flight_max)) return std::nullopt;
  if (!halves_.empty()) return not_before_;
  std::optional<std::int64_t> first;
  for (const auto number : heads_) {
    const auto at = rows_.at(number).not_before;
    if (!first || at < *first) first = at;
  }
  return first ? std::optional(std::max(*first, not_before_)) : std::nullopt;
}

send_plan::breaker send_plan::state(std::int64_t now_ms) const {
  if (failures_ < limits_.breaker_failures) return breaker::closed;
  return now_ms < not_before_ ? breaker::open : breaker::half_open;
}

std::int64_t send_plan::back_off(unsigned failures, double chance) const {
  auto wait = limits_.backoff_ms_min;
  for (unsigned n = 1; n < failures && wait < limits_.backoff_ms_max; ++n) wait *= 2;
  wait = std::min(wait, limits_.backoff_ms_max);
  return wait / 2 + static_cast<std::int64_t>(static_cast<double>(wait - wait / 2) * chance);
}

void send_plan::settle(std::uint64_t number) {
  const auto at = rows_.find(number);
  const auto queue = orders_.find(at->second.order);
  queue->second.pop_front();  // what is on its way is its order's first
  if (queue->second.empty())
    orders_.erase(queue);
  else
    heads_.insert(queue->second.front());
  rows_.erase(at);
}

void send_plan::count_against(std::uint64_t number, const std::string& why, std::int64_t now_ms,
                              double chance, settled& out) {
  auto& one = rows_.at(number);
  if (one.attempts++ == 0) one.first_ms = now_ms;
  one.last_ms = now_ms;
  if (one.attempts >= limits_.attempts_max) {
    out.dead.push_back({number, one.attempts, one.first_ms, one.last_ms, why});
    return settle(number);
  }
  one.not_before = now_ms + back_off(one.attempts, chance);
  heads_.insert(number);
}

// Something in it is not taken: each half by itself, before anything else.
void send_plan::split(std::vector<std::uint64_t> numbers) {
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>((numbers.size() + 1) / 2);
  halves_.emplace_back(numbers.begin(), middle);
  halves_.emplace_back(middle, numbers.end());
}

// The sink took something after it had failed: what waited because of that waits no more.
void send_plan::came_through() {
  if (failures_ >= limits_.breaker_failures)
    for (auto& [number, one] : rows_)
      if (one.attempts == 0) one.not_before = 0;
  failures_ = 0;
  not_before_ = 0;
  trouble_.clear();
  if (batch_max_ < limits_.batch_rows_max) batch_max_ *= 2;
}

void send_plan::failed(const std::vector<std::uint64_t>& numbers, const attempt& what,
                       std::int64_t now_ms, double chance, settled& out) {
  const bool told = what.retry_after_ms >= 0;
  const auto asked = std::min(what.retry_after_ms, limits_.retry_after_ms_max);
  trouble_ = what.why;
  if (what.how == attempt::kind::busy && told) {
    not_before_ = std::max(not_before_, now_ms + asked);
    for (const auto number : numbers) heads_.insert(number);
    return;
  }
  const bool alone = numbers.size() == 1;
  ++failures_;
  auto wait = back_off(failures_, chance);
  if (failures_ >= limits_.breaker_failures) wait = std::max(wait, limits_.breaker_ms);
  not_before_ = std::max(not_before_, now_ms + std::max(wait, asked));
  batch_max_ = std::max<std::size_t>(1, std::min(numbers.size(), batch_max_) / 2);
  for (const auto number : numbers) {
    auto& one = rows_.at(number);
    const bool others_were_taken = one.failures > 0 && taken_ > one.taken_seen;
    ++one.failures;
    one.taken_seen = taken_;
    one.batch_max = std::max<std::size_t>(1, numbers.size() / 2);
    if (alone && others_were_taken) {
      count_against(number, what.why, now_ms, chance, out);
      continue;
    }
    one.not_before = now_ms + back_off(one.failures, chance);
    heads_.insert(number);
  }
}

send_plan::settled send_plan::answered(std::uint64_t batch_id, const attempt& what,
                                       std::int64_t now_ms, double chance) {
  settled out;
  const auto at = in_flight_.find(batch_id);
  if (at == in_flight_.end()) return out;
  const auto numbers = std::move(at->second);
  in_flight_.erase(at);
  std::vector<std::uint64_t> open;
  bool refused = false;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto outcome = i < what.rows.size() ? what.rows[i] : row_outcome::open;
    if (outcome == row_outcome::done) {
      out.done.push_back(numbers[i]);
      ++taken_;
      settle(numbers[i]);
    } else if (outcome == row_outcome::refused) {
      refused = true;
      count_against(numbers[i], what.why, now_ms, chance, out);
    } else {
      open.push_back(numbers[i]);
    }
  }
  switch (what.how) {
    case attempt::kind::answered:
      if (!out.done.empty() || refused) came_through();
      // An answer that says nothing of some: as if it had not come, for these.
      for (const auto number : open) {
        auto& one = rows_.at(number);
        one.not_before = now_ms + back_off(++one.failures, chance);
        heads_.insert(number);
      }
      break;
    case attempt::kind::refused:
      came_through();
      if (open.size() == 1)
        count_against(open.front(), what.why, now_ms, chance, out);
      else if (!open.empty())
        split(std::move(open));
      break;
    case attempt::kind::away:
    case attempt::kind::busy: failed(open, what, now_ms, chance, out);
  }
  return out;
}

}  // namespace soma::outbox
