// What model calls used, and whether a tenant may make another. Counts are kept for the day they
// fall on (UTC); totals of today decide about caps, rows go to whoever persists them.
//
// A call is admitted on what is settled: a cap is passed by at most what was in flight when it was
// reached. Thread-safe; time comes from the caller, in milliseconds since 1970 UTC.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/event.hpp"
#include "core/ids.hpp"
#include "core/may_block.hpp"

namespace soma::llm {

struct usage_key {
  std::string day;  // 2026-11-24
  tenant_id tenant;
  std::string user, session, provider, model;

  auto operator<=>(const usage_key&) const = default;
};

struct usage_count {
  std::uint64_t calls = 0, failures = 0;
  std::uint64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0, reasoning_tokens = 0;
  double cost_usd = 0;

  std::uint64_t tokens() const { return prompt_tokens + completion_tokens; }
  usage_count& operator+=(const usage_count& other);
  bool operator==(const usage_count&) const = default;
};

usage_count count_of(const soma::usage& used, bool failed);

std::string to_json(const usage_count& count);
usage_count parse_usage_count(std::string_view json);

// Of one tenant; 0: no cap.
struct usage_caps {
  std::uint64_t tokens_a_day = 0;
  double cost_usd_a_day = 0;
  std::uint32_t concurrent = 0;
  std::uint32_t requests_a_minute = 0;
};

std::string day_of(std::int64_t now_ms);

class usage_ledger {
 public:
  explicit usage_ledger(const usage_caps& caps) : caps_(caps) {}

  // Before a call: takes a place of those that may run at once, until `settle` or `give_back`.
  // Fails with quota.exceeded, which says when to come again.
  result<void> admit(const tenant_id& tenant, std::int64_t now_ms);
  void give_back(const tenant_id& tenant);  // the call was not made
  void settle(const usage_key& key, const usage_count& count);

  struct standing {
    usage_count today;
    std::uint32_t in_flight = 0;
    usage_caps caps;
  };
  standing of(const tenant_id& tenant, std::int64_t now_ms) const;

  // At start: what was counted before.
  void restore(const usage_key& key, const usage_count& count, std::int64_t now_ms);
  // What was settled since the last call, to be added to what is stored.
  std::vector<std::pair<usage_key, usage_count>> take_unsaved();
  // It could not be saved: it will be given again.
  void put_back(std::vector<std::pair<usage_key, usage_count>> rows);

 private:
  struct account {
    std::string day;
    usage_count today;
    std::uint32_t in_flight = 0;
    std::int64_t minute = 0;
    std::uint32_t requests = 0;  // of that minute
  };
  account& account_of(const tenant_id& tenant, const std::string& day);

  const usage_caps caps_;
  mutable quick_mutex mutex_;
  std::map<tenant_id, account> accounts_;
  std::map<usage_key, usage_count> unsaved_;
};

}  // namespace soma::llm
