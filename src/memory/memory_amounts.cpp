// How much a tenant remembers, and whether there is room for more.
#include <chrono>

#include "core/codes.hpp"
#include "core/limits.hpp"
#include "memory/memories.hpp"

namespace soma::memory {

using clock = std::chrono::steady_clock;

result<index_reader::amounts> memories::count(const tenant_id& tenant,
                                              index_reader::states* states) const {
  auto reader = index_.read();
  if (!reader) return index_failed(reader.error());
  if (auto ok = (*reader)->begin(clock::now() + std::chrono::milliseconds(limits_.search_ms)); !ok)
    return index_failed(ok.error());
  auto all = (*reader)->amounts_of(tenant);
  auto found = result<index_reader::states>(index_reader::states());
  if (states && all) found = (*reader)->count_states(tenant);
  (*reader)->end();
  if (!all) return index_failed(all.error());
  if (!found) return index_failed(found.error());
  if (states) *states = *found;
  return all;
}

// The index is waited for only where what it has not taken yet might be one too many: it may be far
// behind, and others wait for who asks.
result<void> memories::has_room(const tenant_id& tenant, std::size_t items,
                                std::uint64_t bytes) const {
  // Before the count: what is taken meanwhile counts twice.
  const auto waiting = index_.waiting_at_most();
  auto there = count(tenant);
  const auto past = [](std::uint64_t most, std::uint64_t used, std::uint64_t wanted,
                       std::uint64_t more) {
    return wanted > 0 && (more > most || used + wanted > most - more);
  };
  // Which bound it is, where `more` rows are not counted yet, each of them as long as may be.
  const auto full = [&](std::uint64_t more) -> std::string_view {
    if (past(limits_.items_max, there->items, items, more)) return "memory.items_max";
    if (limits_.bytes_max == 0) return {};
    constexpr auto longest = limits::memory_text_bytes_max;
    const auto more_bytes = more > limits_.bytes_max / longest ? UINT64_MAX : more * longest;
    return past(limits_.bytes_max, there->bytes, bytes, more_bytes) ? "memory.bytes_max" : "";
  };
  if (there && !full(waiting).empty()) {
    index_.catch_up(clock::now() + std::chrono::milliseconds(limits_.catch_up_ms));
    there = count(tenant);
  }
  // While the index is made there is no telling, and notes are taken.
  if (!there) return index_.degraded().empty() ? there.error() : result<void>();
  if (const auto bound = full(0); !bound.empty())
    return error(codes::quota_exceeded,
                 "the tenant remembers as much as " + std::string(bound) + " allows");
  return {};
}

result<memory_status> memories::status(const tenant_id& tenant) const {
  memory_status out;
  const auto lag = index_.waiting();
  out.waiting = lag.waiting;
  if (lag.oldest_at_ms > 0)
    out.oldest_waiting_ms = std::max<std::int64_t>(0, now_ms_() - lag.oldest_at_ms);
  out.degraded = index_.degraded();
  index_reader::states states;
  const auto all = count(tenant, &states);
  if (!all) return all.error();
  out.stored = all->items;
  out.bytes = all->bytes;
  out.items_max = limits_.items_max;
  out.bytes_max = limits_.bytes_max;
  out.replicated = states.replicated;
  out.failed = states.failed;
  if (near_) out.vectors = near_->status(tenant);
  return out;
}

}  // namespace soma::memory
