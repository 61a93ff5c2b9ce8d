#include "llm/usage_ledger.hpp"

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"

namespace soma::llm {
namespace {

constexpr std::int64_t day_ms = 24ll * 3600 * 1000, minute_ms = 60'000;

error over(std::string_view what, std::int64_t wait_ms) {
  return {codes::quota_exceeded, "the tenant's " + std::string(what) + " is used up",
          static_cast<int>((wait_ms + 999) / 1000)};
}

}  // namespace

usage_count& usage_count::operator+=(const usage_count& other) {
  calls += other.calls;
  failures += other.failures;
  prompt_tokens += other.prompt_tokens;
  cached_tokens += other.cached_tokens;
  completion_tokens += other.completion_tokens;
  reasoning_tokens += other.reasoning_tokens;
  cost_usd += other.cost_usd;
  return *this;
}

usage_count count_of(const soma::usage& used, bool failed) {
  return {1,
          failed ? 1u : 0u,
          used.prompt_tokens,
          used.cached_tokens,
          used.completion_tokens,
          used.reasoning_tokens,
          used.cost_usd.value_or(0)};
}

std::string to_json(const usage_count& count) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("calls", count.calls).field("failures", count.failures);
  w.field("prompt_tokens", count.prompt_tokens).field("cached_tokens", count.cached_tokens);
  w.field("completion_tokens", count.completion_tokens);
  w.field("reasoning_tokens", count.reasoning_tokens);
  w.key("cost_usd").real(count.cost_usd).end_object();
  return out;
}

usage_count parse_usage_count(std::string_view json) {
  usage_count count;
  boost::system::error_code ec;
  const auto value = boost::json::parse({json.data(), json.size()}, ec);
  if (ec || !value.is_object()) return count;
  const auto number = [&](const char* name, auto& into) {
    const auto* member = value.get_object().if_contains(name);
    boost::system::error_code bad;
    if (!member || !member->is_number()) return;
    const auto read = member->to_number<std::decay_t<decltype(into)>>(bad);
    if (!bad) into = read;
  };
  number("calls", count.calls);
  number("failures", count.failures);
  number("prompt_tokens", count.prompt_tokens);
  number("cached_tokens", count.cached_tokens);
  number("completion_tokens", count.completion_tokens);
  number("reasoning_tokens", count.reasoning_tokens);
  number("cost_usd", count.cost_usd);
  return count;
}

std::string day_of(std::int64_t now_ms) {
  return format_rfc3339(now_ms).substr(0, 10);
}

usage_ledger::account& usage_ledger::account_of(const tenant_id& tenant, const std::string& day) {
  auto& account = accounts_[tenant];
  if (account.day < day) {
    account.day = day;
    account.today = {};
  }
  return account;
}

result<void> usage_ledger::admit(const tenant_id& tenant, std::int64_t now_ms) {
  std::lock_guard lock(mutex_);
  auto& account = account_of(tenant, day_of(now_ms));
  const auto until_tomorrow = day_ms - now_ms % day_ms;
  if (caps_.tokens_a_day > 0 && account.today.tokens() >= caps_.tokens_a_day)
    return over("daily allowance of tokens", until_tomorrow);
  if (caps_.cost_usd_a_day > 0 && account.today.cost_usd >= caps_.cost_usd_a_day)
    return over("daily allowance of cost", until_tomorrow);
  if (caps_.concurrent > 0 && account.in_flight >= caps_.concurrent)
    return over("number of calls at once", 1000);
  const auto minute = now_ms / minute_ms;
  if (account.minute != minute) {
    account.minute = minute;
    account.requests = 0;
  }
  if (caps_.requests_a_minute > 0 && account.requests >= caps_.requests_a_minute)
    return over("number of calls a minute", minute_ms - now_ms % minute_ms);
  ++account.requests;
  ++account.in_flight;
  return {};
}

void usage_ledger::give_back(const tenant_id& tenant) {
  std::lock_guard lock(mutex_);
  auto& account = accounts_[tenant];
  if (account.in_flight > 0) --account.in_flight;
}

void usage_ledger::settle(const usage_key& key, const usage_count& count) {
  std::lock_guard lock(mutex_);
  auto& account = account_of(key.tenant, key.day);
  if (account.in_flight > 0) --account.in_flight;
  if (account.day == key.day) account.today += count;
  unsaved_[key] += count;
}

usage_ledger::standing usage_ledger::of(const tenant_id& tenant, std::int64_t now_ms) const {
  std::lock_guard lock(mutex_);
  standing now{{}, 0, caps_};
  const auto at = accounts_.find(tenant);
  if (at == accounts_.end()) return now;
  now.in_flight = at->second.in_flight;
  if (at->second.day == day_of(now_ms)) now.today = at->second.today;
  return now;
}

void usage_ledger::restore(const usage_key& key, const usage_count& count, std::int64_t now_ms) {
  std::lock_guard lock(mutex_);
  const auto day = day_of(now_ms);
  if (key.day == day) account_of(key.tenant, day).today += count;
}

std::vector<std::pair<usage_key, usage_count>> usage_ledger::take_unsaved() {
  std::lock_guard lock(mutex_);
  std::vector<std::pair<usage_key, usage_count>> rows(unsaved_.begin(), unsaved_.end());
  unsaved_.clear();
  return rows;
}

void usage_ledger::put_back(std::vector<std::pair<usage_key, usage_count>> rows) {
  std::lock_guard lock(mutex_);
  for (auto& [key, count] : rows) unsaved_[key] += count;
}

}  // namespace soma::llm
