// Random work on an event log, the same for every log that holds the same: what comes next follows
// from the seed and from what the log answers. So a log in memory can follow one on disk, in
// another process or before a crash, and be compared with it.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "storage/event_log.hpp"

namespace soma::storage::testing {

inline constexpr std::size_t storm_event_bytes_max = 4000;

struct storm_step {
  enum kind { commit, stage, discard, expire, record, document, no_document };
  kind what = commit;
  std::vector<append_op> ops;  // commit
  session_key key;             // stage, discard
  std::vector<encoded_event> events;
  std::int64_t before_ms = 0;  // expire
  idempotency_record kept;     // record
  std::string name, text;      // document
  // Whether it was synced, and all before it, if this is what came of it. A commit of which all is
  // refused writes nothing.
  bool synced(const std::string& said) const {
    if (what == commit) return said.find_first_of("0123456789") != std::string::npos;
    return what == record || what == document || what == no_document;
  }
};

class storm {
 public:
  // `padding_max`: bytes that an event may have beyond the few it needs.
  explicit storm(std::uint64_t seed, std::size_t padding_max = 200)
      : random_(seed), padding_max_(padding_max) {}

  // The next step, for a log as `log` is now.
  storm_step next(const event_log& log);
  // Does it and says what came of it: codes and numbers, in one line.
  std::string apply(const storm_step& step, event_log& log);

  // A random read, and what it found.
  std::string look(const event_log& log, std::uint64_t read_seed) const;

 private:
  std::uint64_t pick(std::uint64_t n) { return random_() % n; }
  bool chance(int percent) { return pick(100) < static_cast<std::uint64_t>(percent); }
  append_op next_op(const session_key& key, std::uint64_t seq, bool staged);
  encoded_event next_event(std::uint64_t seq);
  session_info next_info();
  idempotency_record next_record();

  std::mt19937_64 random_;
  std::size_t padding_max_;
  std::map<session_key, std::uint64_t> staged_;  // last seq
};

const std::vector<session_key>& storm_sessions();

// All that can be read of a log but its epochs, line by line; those are checked to rise and to be
// the ones that the heads name. A log that cannot be read, or is not dense, says so in its lines.
std::string dump(const event_log& log);
// Drops what is staged, as opening a store does.
void drop_stages(event_log& log);
// The first line in which two dumps differ; empty: none.
std::string difference(const std::string& a, const std::string& b);

}  // namespace soma::storage::testing
