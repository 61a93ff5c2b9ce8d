// The write-ahead log of what is remembered: for another site, which follows it and so has all of
// it, too. What changed is a row, numbered as it came; a later change of the same memory takes the
// place of the earlier one, and one that went leaves a stone. So the log from its beginning is all
// there is, and from a position on all that changed since. Rows name and do not hold (0176).
//
//   memory.wal        tenant number       put or gone, the start that wrote it, session, id, when
//   memory.wal.at     tenant session id   number of its row, fingerprint of what it was
//   memory.wal.state  log                 the log's id, its last number, its starts, whether whole
//   memory.wal.state  gone tenant         how many stones, and up to where they were dropped
//
// A thread takes the outbox's rows for the index, which the indexer leaves there until then. They
// only name what changed, so taking one twice is taking it once, and no place in the outbox is
// kept. Where the log was not kept for a time, or never, the thread first compares it with all that
// is there.
//
// A position is `start.number`: a start is a run of the server that wrote to the log. So a log that
// lost its end, as a restored copy did, does not take a position of that end for one of its own.
//
// Thread-safe; blocks on the store, whose errors it has. Lifetime: the store outlives it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "memory/item.hpp"
#include "storage/event_log.hpp"
#include "storage/node_rows.hpp"

namespace soma::memory {

inline constexpr std::string_view wal_collection = "memory.wal";
inline constexpr std::string_view wal_at_collection = "memory.wal.at";
inline constexpr std::string_view wal_state_collection = "memory.wal.state";
static_assert(storage::is_of_node(wal_collection) && storage::is_of_node(wal_at_collection) &&
              storage::is_of_node(wal_state_collection));

struct wal_options {
  std::size_t rows_at_once = 500;
  // Stones of a tenant; past it a tenth of them goes, the oldest first. Who follows from before
  // that has to begin anew.
  std::size_t gone_max = 1'000'000;
  std::size_t starts_max = 1000;  // that are known; positions of an older one are none any more
  // A sentence for an operator: it cannot be written.
  std::function<void(const std::string&)> on_notice{};
};

struct wal_entry {
  std::string position;
  std::optional<item> put;  // as it now is; none: it went
  std::string id, session;  // of what went; the session empty where it is of none
  std::int64_t gone_at_ms = 0;
};

struct wal_page {
  std::string log;
  std::vector<wal_entry> entries;
  std::string position;    // behind all of them; what was given, where there are none
  bool caught_up = false;  // there was no more in that moment
};

class memory_wal {
 public:
  memory_wal(storage::event_log& log, wal_options options);
  ~memory_wal();
  memory_wal(const memory_wal&) = delete;

  // Rows were committed. Does not block.
  void wake();
  // Rows of the outbox up to this number are in the log. Does not block.
  std::uint64_t taken() const { return taken_.load(std::memory_order_acquire); }
  // Commits whose rows are not in the log yet. Does not block.
  std::uint64_t lag() const;
  // Commits that were told of, and those of them whose rows are in the log. Do not block.
  std::uint64_t told() const;
  std::uint64_t done() const;
  // Grows with what can be read. Does not block.
  std::uint64_t moved() const { return moved_.load(std::memory_order_acquire); }

  // What changed behind `after`; empty: from the beginning. A page ends after `rows_max` rows, or
  // with the one that passes `bytes_max` of texts. Errors: request.invalid_parameter about "after",
  // for a position that is not, or no more, one of this log.
  result<wal_page> read(const tenant_id& tenant, std::string_view after, std::size_t rows_max,
                        std::size_t bytes_max) const;

  // Where no log is kept: one that was before is compared once it is again. At the start.
  static result<void> not_kept(storage::event_log& log);

 private:
  struct start {
    std::string id;
    std::uint64_t first = 0;  // number that it may have written first
  };
  struct log_state {
    std::string id;
    std::uint64_t last = 0;
    std::vector<start> starts;
    bool whole = false;  // all that is there is in it
  };
  struct stones {
    std::uint64_t count = 0, dropped_to = 0;
  };
  struct place {
    std::string tenant, session, id;
  };

  static std::string encode(const log_state& of);
  static result<log_state> decode(std::string_view json);
  void run();
  result<bool> step();  // true: there may be more at once
  result<void> open();
  result<bool> take_rows();
  result<bool> compare_some();
  result<void> add_session(std::vector<place>& out, const change& of) const;
  result<void> write(const std::vector<place>& touched);
  result<void> add(storage::row_batch& rows, const place& of, log_state& state,
                   std::map<std::string, stones>& gone) const;
  result<void> drop_stones(const std::string& tenant);
  std::string position_at(std::string_view start_id, std::uint64_t number) const;
  void publish(log_state state, std::map<std::string, stones> gone);

  storage::event_log& log_;
  const wal_options options_;

  // Of the thread alone.
  std::uint64_t scanned_ = 0;
  bool opened_ = false, started_ = false;
  std::string behind_;  // of the comparison
  bool comparing_rows_ = false;
  std::string trouble_;

  std::atomic<std::uint64_t> taken_{0}, moved_{0};
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::uint64_t told_ = 1, done_ = 0;   // commits
  log_state state_;                     // written by the thread, under the mutex
  std::map<std::string, stones> gone_;  // by tenant; likewise

  std::thread thread_;  // the last
};

// Lines of the log as it is sent; each ends with a line feed. The first says which log it is and
// where reading begins, `head` that there was no more, `alive` only that somebody is there.
void write_begin(std::string& out, std::string_view log, std::string_view position);
void write_line(std::string& out, const wal_entry& one);
void write_head(std::string& out, std::string_view position, std::int64_t at_ms);
void write_alive(std::string& out);

}  // namespace soma::memory
