// The rule of a partition's log: what every reader does with every record. Owner, standby and
// auditor ask it of the same records and get the same verdicts, whatever they are told otherwise;
// it reads no clock, disk, setting or delivery report. Pure: no threads, no I/O but `facts`.
//
//   - `born` counts once, and before everything.
//   - A claim counts if it names the newest counted claim (at first: `born`) as the one it
//   replaces.
//   - Any other record counts if it names the newest counted claim as its own, its n is the last
//     counted n + 1, and that claim was not released. So a gap makes void whatever follows it until
//     the next claim; a copy, and all that a paused owner writes later, is void.
//   - A record that names a claim behind the newest counted one, as its own or as the one that it
//     replaces, is of another log than was read so far, as is one whose digest differs.
//   - An atom that counts takes its n, and is refused where its source, its keys, its session or
//   its
//     documents do not allow it, judged from the log alone: then it changes nothing.
//
// What cannot be judged (damaged, of a format not known, of a log that went on otherwise) stops the
// partition at this reader; it is never stepped over.
//
// tests/cluster/partition_rule.py says the same in another language and is compared with this one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cluster/record.hpp"
#include "cluster/record_codec.hpp"
#include "core/error.hpp"

namespace soma::cluster {

// What a reader knows of a partition beside the facts below. It is stored in one batch with what
// each record changes, so it is never ahead of them nor behind.
struct partition_state {
  std::string changelog;  // empty: `born` was not read yet
  std::uint32_t partition = 0, partitions = 0;
  std::uint16_t format = format_first;  // the newest that may be written
  log_offset next = 0;                  // records before it are applied
  log_offset claim = nowhere;           // the newest counted claim, or `born`
  std::uint32_t epoch = 0;
  std::string owner, incarnation;  // its; empty: nobody has claimed
  bool released = false;           // the owner has written its last
  std::string released_to;
  std::uint64_t n = 0;       // of the last counted record of that claim
  std::int64_t time_ms = 0;  // the latest of all counted records
  // Over all counted records, and what became of them: a log that was cut and grew again, and a
  // reader that judged otherwise, are known by it. `claim_digest` is as it was behind the claim.
  std::uint64_t digest = 0, claim_digest = 0, outcomes = 0;
  // The last record read, whatever its verdict: see same_log.
  log_offset last = nowhere;
  std::uint64_t last_sum = 0;

  bool operator==(const partition_state&) const = default;
};

std::string encode(const partition_state& state);
result<partition_state> decode_partition_state(std::string_view bytes);  // storage.corrupt, .format

// What was answered to the first use of a key.
struct kept_key {
  session_key session;
  std::uint64_t seq = 0;     // the session's head behind it
  std::int64_t time_ms = 0;  // partition_state::time_ms then
  log_offset offset = nowhere;

  bool operator==(const kept_key&) const = default;
};

struct known_head {
  std::uint64_t seq = 0;  // 0: the session does not exist
  bool gone = false;      // it was removed, and its id is not given again
};

// What records before this one have left. An error stops the partition: a reader that cannot read
// its own store must not decide.
class partition_facts {
 public:
  virtual ~partition_facts() = default;
  virtual result<known_head> head(const session_key& session) const = 0;
  virtual result<std::optional<kept_key>> key(std::string_view key) const = 0;
  // The offset of the record that wrote a document; none: it is not there.
  virtual result<std::optional<log_offset>> version(std::string_view collection,
                                                    std::string_view key) const = 0;
  virtual result<std::optional<source_tag>> last_of(std::uint32_t source_partition) const = 0;
};

enum class verdict : std::uint8_t {
  counted,
  refused,  // it counts, and its atom changes nothing
  voided,   // as if it had never been written
  stopped,  // not judged: the state is as it was, and the reader goes no further
};

enum class reason : std::uint8_t {
  none,
  // voided
  read_before,  // its offset is below partition_state::next
  not_born,     // nothing counts before `born`
  born_before,
  replaces_older,  // the claim it replaces is not the newest any more
  of_older_claim,
  was_released,
  gap_or_copy,
  format_not_opened,  // its format is newer than what was opened
  // refused
  key_exists,
  source_seen,
  epoch_differs,
  head_differs,
  session_gone,
  version_differs,
  // stopped (and one refused, at the end: numbers are in digests)
  unreadable,
  format_unknown,
  other_changelog,
  digest_differs,
  facts_unreadable,
  source_hole,  // refused: it does not follow what was derived last from its source
};
std::string_view to_string(reason why);

struct judgement {
  verdict what = verdict::counted;
  reason why = reason::none;
  std::uint64_t seq = 0;  // counted atom: the head behind it; head_differs: the head that is there
  kept_key kept{};        // key_exists: by what
  std::string detail{};   // stopped: a sentence for a person, without any text of a record
};

// Whether an atom that was judged so has had its turn among those of its source, though it changes
// nothing else.
bool passes_source(const judgement& judged);

// Judges the record at `offset` and takes `state` past it, unless it is stopped. What a counted
// atom changes of the facts is for the caller to carry out, in the same batch as the state.
judgement apply(partition_state& state, const partition_facts& facts, log_offset offset,
                const read_record& one);
// Of bytes: what cannot be decoded is stopped.
judgement apply(partition_state& state, const partition_facts& facts, log_offset offset,
                std::string_view bytes);

// Whether the log is the one that `state` was read from, as far as the record at `state.last` says,
// which a reader reads once more before it goes on (at its start, and whenever it was assigned
// anew). A log that was cut and grew again past the reader's place is known by it at once; by the
// digests only when something is written under a claim behind that place.
bool same_log(const partition_state& state, log_offset offset, std::string_view bytes);

// partition_state::digest behind a record under a claim: for an owner, whose next record carries it
// before this one is read.
std::uint64_t digest_behind(std::uint64_t digest, std::uint64_t record_sum);

}  // namespace soma::cluster
