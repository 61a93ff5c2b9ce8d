// Rows that no sink takes: kept as documents of their tenant, with why, until somebody sends them
// again or throws them away.
//
//   dlq   tenant id   the row as JSON; the id is the row's number in the outbox, 20 digits
//
// A row that is given up twice, because a crash came between, is one dead letter. Thread-safe;
// blocks on the store, whose errors it has. Lifetime: the store outlives it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "storage/event_log.hpp"

namespace soma::outbox {

inline constexpr std::string_view dead_letter_collection = "dlq";

struct dead_letter {
  std::string id, sink, topic, session_id, last_error, payload;
  unsigned attempts = 0;
  std::int64_t first_at_ms = 0, last_at_ms = 0;
  bool operator==(const dead_letter&) const = default;
};

struct dead_letter_page {
  std::vector<dead_letter> rows;
  std::string next_cursor;  // empty: no more; a page may be short and not the last
};

class dead_letters {
 public:
  explicit dead_letters(storage::event_log& log) : log_(log) {}

  // Counts what is there. Once, before anything else.
  result<void> open();

  // `number`: of the outbox. Synced.
  result<void> keep(const tenant_id& tenant, std::uint64_t number, dead_letter what);

  // Oldest first. `sink`: only its own; empty: all. Errors: request.invalid_parameter (the cursor).
  result<dead_letter_page> list(const tenant_id& tenant, std::string_view sink,
                                std::string_view cursor, std::size_t limit) const;
  // Errors: dlq.not_found.
  result<dead_letter> find(const tenant_id& tenant, std::string_view id) const;
  // Its row goes into the outbox again, in the atom in which it ceases to be a dead letter.
  result<void> requeue(const tenant_id& tenant, std::string_view id);
  result<void> remove(const tenant_id& tenant, std::string_view id);

  std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  storage::event_log& log_;
  std::mutex changing_;
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace soma::outbox
