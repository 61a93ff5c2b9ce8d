// What is near a question by its vector, beside what has its words.
#include <algorithm>

#include "memory/memories.hpp"

namespace soma::memory {
namespace {

using clock = std::chrono::steady_clock;

// Of those near by their vectors; less alike than that, or than half of the nearest, they say
// nothing.
constexpr std::size_t near_max = 50;
constexpr float near_score_min = 0.25f, near_part_min = 0.5f;

}  // namespace

// Whoever is not to see one has it in no place: looking goes on until there are enough.
result<void> memories::add_near(const viewer& who, vectors::question& asked, index_reader& reader,
                                const row_filter& fits, clock::time_point until, found_rows& found,
                                found_items& out) const {
  if (auto ready = asked.wait(until); !ready) return ready.error();
  ranking one{{}, vectors_weight};
  for (std::size_t count = near_max * 2, looked_at = 0;; count *= 4) {
    const auto near = asked.nearest(count);
    out.approximate = near.approximate;
    const auto floor =
        near.found.empty() ? 0 : std::max(near_score_min, near.found.front().score * near_part_min);
    if (near.approximate) {  // others may come between those that were looked at
      one.ids.clear();
      looked_at = 0;
    }
    for (; looked_at < near.found.size() && one.ids.size() < near_max; ++looked_at) {
      const auto& [id, score] = near.found[looked_at];
      if (score < floor) break;
      auto row = reader.find(who.tenant, id);
      if (!row) return row.error();
      if (!*row || (*row)->number > out.as_of || !fits(**row)) continue;
      found.sessions.emplace(id, (*row)->session);
      one.ids.push_back(id);
    }
    const bool all = near.found.size() < count;
    if (all || looked_at < near.found.size() || one.ids.size() == near_max) break;
  }
  found.rankings.push_back(std::move(one));
  return {};
}

vector_status memories::vectors_now(const tenant_id& tenant) const {
  return near_ ? near_->last_status(tenant) : vector_status();
}

vector_totals memories::all_vectors_now() const {
  return near_ ? near_->totals() : vector_totals();
}

}  // namespace soma::memory
