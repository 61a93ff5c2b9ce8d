// Applies the log of another site's memories (memory_wal.hpp) to a tenant of this one, and knows
// how far it is. A batch comes with where it begins and where it ends: one that does not begin
// where the last one ended is refused, so none is applied twice, none is left out, and of two that
// follow one gives way. A batch and its end are one atom.
//
//   memory.follow   tenant      which log, how far, in which pass
//   memory.replica  tenant id   what came from there: in which pass, of which session; or that it
//                               went, which stays
//
// An item counts by its update time: an older one changes nothing. What went once, there or here,
// does not come back.
//
// Following anew is a pass over the whole log: at its end what was there and is there no more goes
// here, too. It takes an operator's word, as another log does: a log that is new, empty or older
// than this copy may be what a lost site looks like.
//
// Thread-safe; blocks on the store, whose errors it has. Lifetime: what it needs outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/may_block.hpp"
#include "memory/memories.hpp"
#include "storage/event_log.hpp"

namespace soma::memory {

inline constexpr std::string_view follow_collection = "memory.follow";
inline constexpr std::string_view replica_collection = "memory.replica";

struct replica_batch {
  std::string log;              // of which the changes are
  std::string after, position;  // where the last one ended; where this does
  std::vector<foreign_change> changes;
  bool anew = false;       // from the beginning, whatever was followed before
  bool caught_up = false;  // there was no more behind it
};

struct replica_outcome {
  std::string position;
  std::uint64_t applied = 0, left_alone = 0;
  std::uint64_t gone = 0;  // that the end of a pass took away
};

struct replica_figures {
  bool following = false;
  std::string log, position;
  bool caught_up = false;  // by the last word, which is not older than fresh_ms
  double lag_s = 0;        // since it last was
};

class replicator {
 public:
  static constexpr std::size_t changes_max = 500;                   // of a batch
  static constexpr std::int64_t fresh_ms = 15'000;                  // that a word counts
  static constexpr std::int64_t ahead_ms_max = 24ll * 3600 * 1000;  // of another site's clock

  replicator(storage::event_log& log, memories& kept, std::function<std::int64_t()> now_ms)
      : log_(log), kept_(kept), now_ms_(std::move(now_ms)) {}

  // Reads what is followed. Once, before anything else.
  result<void> open();

  // Errors: memory.changed where it does not begin where this is, request.invalid for what is no
  // change or of another log; nothing is written then.
  result<replica_outcome> apply(const tenant_id& tenant, const replica_batch& what);
  // Nothing is followed any more; what came stays. `log`: the one that is meant.
  result<void> end(const tenant_id& tenant, std::string_view log);

  // Neither blocks.
  replica_figures figures(const tenant_id& tenant) const;
  double lag_s_max() const;  // of all tenants

 private:
  struct state {
    std::string log, position;
    std::uint64_t pass = 1;
    bool whole = false;  // a pass over all is under way
    std::int64_t begun_ms = 0;
    // Not kept.
    bool caught_up = false;
    std::int64_t heard_ms = 0, caught_up_ms = 0;
  };
  static std::string encode(const state& of);
  static result<state> decode(std::string_view json);
  // What is kept, where another node has gone on meanwhile.
  result<void> read_again(const tenant_id& tenant);
  result<state> begun(const tenant_id& tenant, const replica_batch& what) const;
  result<std::uint64_t> sweep(const tenant_id& tenant, std::uint64_t pass);
  double lag_of(const state& of) const;

  storage::event_log& log_;
  memories& kept_;
  const std::function<std::int64_t()> now_ms_;
  disk_mutex applying_;
  mutable quick_mutex mutex_;
  std::map<tenant_id, state> states_;
};

// Adds a line of the log, as memory_wal.hpp writes them: a change, or a head. Errors:
// request.invalid about "lines", for what is none, or holds what no memory may be.
result<void> add_line(replica_batch& to, std::string_view line, std::int64_t now_ms);

}  // namespace soma::memory
