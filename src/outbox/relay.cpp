#include "outbox/relay.hpp"

#include <algorithm>
#include <chrono>

#include "core/codes.hpp"
#include "core/thread_name.hpp"
#include "core/time.hpp"

namespace soma::outbox {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t rows_at_once = 500, counted_max = 100'000;
constexpr std::int64_t idle_ms = 5000;       // between looks where nobody says anything
constexpr std::int64_t look_every_ms = 500;  // at the oldest row, and at how many there are
constexpr std::int64_t store_again_ms = 1000;

// Times of the plan: they never go back, whatever is done to the machine's clock.
std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock::now().time_since_epoch())
      .count();
}

}  // namespace

relay::relay(const needs& from) : from_(from), name_(from.to.name()), plan_(from.limits) {
  for (std::size_t i = 0; i < std::max<std::size_t>(1, from.limits.in_flight_max); ++i)
    threads_.emplace_back([this] {
      name_this_thread("outbox");
      run();
    });
}

relay::~relay() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  from_.to.stop();
  wake_.notify_all();
  for (auto& one : threads_) one.join();
}

void relay::wake() {
  const std::lock_guard lock(mutex_);
  told_ = true;
  wake_.notify_all();
}

relay_figures relay::figures() const {
  const std::lock_guard lock(mutex_);
  relay_figures out;
  out.depth = plan_.size() + beyond_;
  if (plan_.size() > 0) out.oldest_since_ms = oldest_since_ms_;
  out.breaker = plan_.state(steady_ms());
  out.trouble = plan_.trouble();
  out.sent = sent_;
  out.failed = failed_;
  out.dead = dead_;
  return out;
}

// False: it is to stop.
bool relay::pause(std::unique_lock<std::mutex>& lock, std::int64_t ms) {
  wake_.wait_for(lock, std::chrono::milliseconds(ms), [&] { return stop_; });
  return !stop_;
}

void relay::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (!reading_ && plan_.room() >= rows_at_once && (more_ || told_)) {
      if (!read_rows(lock) && !pause(lock, store_again_ms)) return;
      continue;
    }
    const auto every = more_ ? idle_ms : look_every_ms;  // many are counted less often
    if (!looking_ && steady_ms() - looked_at_ms_ >= every) look(lock);
    const auto now = steady_ms();
    if (const auto batch = plan_.next(now)) {
      wake_.notify_one();  // another thread may have more to do
      send(lock, *batch);
      continue;
    }
    auto wait = idle_ms;
    if (const auto at = plan_.wake_at()) wait = std::clamp<std::int64_t>(*at - now, 1, idle_ms);
    if (plan_.size() > 0) wait = std::min(wait, look_every_ms);
    wake_.wait_for(lock, std::chrono::milliseconds(wait));
  }
}

// False: the store cannot be read.
bool relay::read_rows(std::unique_lock<std::mutex>& lock) {
  reading_ = true;
  told_ = false;
  const auto after = scanned_;
  lock.unlock();
  const auto page = from_.log.read_outbox(name_, after, rows_at_once);
  std::vector<std::uint64_t> unknown;
  lock.lock();
  reading_ = false;
  if (!page) {
    more_ = true;
    return false;
  }
  scanned_ = page->scanned;
  more_ = !page->end;
  beyond_ = more_ ? beyond_ - std::min<std::uint64_t>(beyond_, page->rows.size()) : 0;
  for (const auto& row : page->rows) {
    const auto facts = from_.to.facts(row.payload);
    if (!facts) {
      unknown.push_back(row.number);  // of no version that is known: nothing can be made of it
      continue;
    }
    plan_.add(row.number, *facts);
    held_.try_emplace(row.number, held{row.payload, facts->tenant, facts->session});
  }
  wake_.notify_all();
  if (unknown.empty()) return true;
  lock.unlock();
  (void)delete_rows(unknown);
  lock.lock();
  return true;
}

void relay::send(std::unique_lock<std::mutex>& lock, const send_plan::batch& what) {
  std::vector<std::string> payloads;
  for (const auto number : what.numbers) payloads.push_back(held_.at(number).payload);
  lock.unlock();
  const auto came = from_.to.send(payloads);
  lock.lock();
  if (stop_) return;  // what was not answered is sent by the next process
  const bool failed = came.how == attempt::kind::away || came.how == attempt::kind::busy;
  failed_ += failed;
  const double chance = static_cast<double>(chance_()) / static_cast<double>(chance_.max());
  auto settled = plan_.answered(what.id, came, steady_ms(), chance);
  sent_ += settled.done.size();
  dead_ += settled.dead.size();
  const bool away = plan_.state(steady_ms()) != send_plan::breaker::closed;
  const bool told = away != std::exchange(was_away_, away);
  std::vector<held> dead;
  for (const auto& one : settled.dead) dead.push_back(std::move(held_.at(one.number)));
  auto numbers = settled.done;
  for (const auto& one : settled.dead) numbers.push_back(one.number);
  for (const auto number : numbers) held_.erase(number);
  numbers.insert(numbers.end(), undeleted_.begin(), undeleted_.end());
  undeleted_.clear();
  wake_.notify_all();
  lock.unlock();
  if (told && from_.on_notice)
    from_.on_notice(away ? name_ + " is away: " + came.why : name_ + " is there again");
  const bool deleted = keep(settled.dead, dead) && delete_rows(numbers);
  lock.lock();
  if (!deleted) undeleted_.insert(undeleted_.end(), numbers.begin(), numbers.end());
}

// Before its row is deleted; where the store takes nothing, this thread waits until it does. False:
// it is to stop.
bool relay::keep(const std::vector<send_plan::dead_row>& dead, const std::vector<held>& rows) {
  const auto ago = now_ms() - steady_ms();
  for (std::size_t i = 0; i < dead.size(); ++i) {
    dead_letter one;
    one.sink = name_;
    one.session_id = rows[i].session;
    one.last_error = dead[i].why;
    one.payload = rows[i].payload;
    one.attempts = dead[i].attempts;
    one.first_at_ms = dead[i].first_ms + ago;
    one.last_at_ms = dead[i].last_ms + ago;
    auto kept = from_.given_up.keep(tenant_id(rows[i].tenant), dead[i].number, one);
    while (!kept && kept.error().code != codes::tenant_erased) {
      std::unique_lock lock(mutex_);
      if (!pause(lock, store_again_ms)) return false;
      lock.unlock();
      kept = from_.given_up.keep(tenant_id(rows[i].tenant), dead[i].number, one);
    }
    if (!kept) continue;  // of a tenant that has nothing any more: the row goes
    from_.to.gave_up(rows[i].payload);
    if (from_.on_notice) from_.on_notice(name_ + " does not take a row: " + dead[i].why);
  }
  return true;
}

bool relay::delete_rows(const std::vector<std::uint64_t>& numbers) {
  return numbers.empty() || from_.log.delete_outbox(name_, numbers).has_value();
}

// How many there are and how old the first is, which only the store knows.
void relay::look(std::unique_lock<std::mutex>& lock) {
  looking_ = true;
  looked_at_ms_ = steady_ms();
  const auto first = plan_.oldest();
  const bool count = more_;
  const auto known = oldest_;
  auto after = scanned_;
  const auto payload = first ? held_.at(*first).payload : std::string();
  lock.unlock();
  std::int64_t since = 0;
  if (first && *first != known) since = from_.to.since_ms(payload);
  std::vector<std::uint64_t> beyond;
  while (count && beyond.size() < counted_max) {
    const auto page = from_.log.read_outbox(name_, after, rows_at_once);
    if (!page) break;
    for (const auto& row : page->rows) beyond.push_back(row.number);
    after = page->scanned;
    if (page->end) break;
  }
  lock.lock();
  looking_ = false;
  // Those that were read meanwhile are in the plan.
  beyond_ = static_cast<std::uint64_t>(beyond.end() -
                                       std::upper_bound(beyond.begin(), beyond.end(), scanned_));
  if (!first) {
    oldest_ = 0;
    oldest_since_ms_ = 0;
  } else if (*first != known) {
    oldest_ = *first;
    oldest_since_ms_ = since > 0 ? since : now_ms();
  }
}

}  // namespace soma::outbox
