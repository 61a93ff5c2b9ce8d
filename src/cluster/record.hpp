// What one partition's log holds: a record is the first of the log (`born`), a claim of ownership,
// or one of the records that an owner writes under its claim. Values only; what counts is decided
// by partition_core.hpp, how they are bytes by record_codec.hpp.
//
// A record is written once and read by every node that tails the partition, for as long as the
// cluster lives: members are only ever added, under a new format number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/ids.hpp"

namespace soma::cluster {

// A place in the log, as Kafka counts them: it grows from record to record and may leave holes.
using log_offset = std::int64_t;
inline constexpr log_offset nowhere = -1;

// How records are written. A reader that does not know a number stops; a number is written only
// after a `format_opened` record of it counted.
inline constexpr std::uint16_t format_first = 1, format_newest = 1;

// Of one record, header and all: what max.message.bytes of the topic has to take. An atom holds an
// answer, its calls and a provider's state; a single event is at most 900 KiB.
inline constexpr std::size_t record_bytes_max = 8u << 20;

// The first record. `epoch` is above every epoch in what the nodes hold at that time: zero in a
// cluster that begins empty.
struct born {
  std::string changelog;  // names this log for good: a topic that is made anew has another
  std::uint32_t partition = 0, partitions = 1;
  std::uint32_t epoch = 0;
  std::uint16_t format = format_first;  // the newest that may be written from here on

  bool operator==(const born&) const = default;
};

// "I own from here on." Compare and set by the log's order: it names the claim that it replaces.
struct claim {
  std::string changelog;
  log_offset replaces = nowhere;  // the newest counted claim, or `born` where there was none
  std::uint32_t epoch = 0;        // that one's + 1; the epoch of all events written under it
  std::string owner;              // node id
  std::string incarnation;        // of its process: one that was begun anew does not own
  std::uint64_t digest = 0;       // partition_state::claim_digest, as the claimant has it

  bool operator==(const claim&) const = default;
};

// An idempotency key, put if it is absent: else the whole atom is refused.
struct key_use {
  std::string key;          // the caller's scope and key as one text
  std::int64_t ttl_ms = 0;  // how old one of the same key must be for this one to take its place

  bool operator==(const key_use&) const = default;
};

// A document of the tenant, written, deleted, or only looked at. Its version is the offset of the
// record that wrote it, so no version is given twice, whatever is deleted in between.
struct document_write {
  std::string collection, key;
  // What must be there: none, whatever; `nowhere`, nothing; else exactly this version.
  std::optional<log_offset> expected;
  std::optional<std::string> value;  // none: deleted
  bool only_looked_at = false;       // nothing is written: `expected` is all that is said of it

  bool operator==(const document_write&) const = default;
};

// Of an atom that was derived from a record of another partition: where it comes from. What is
// derived from a source comes once and in its order, and nothing of it is left out: each names the
// one before it. One that is refused for anything else has had its turn as well.
struct source_tag {
  std::uint32_t partition = 0;
  log_offset offset = nowhere;
  log_offset after = nowhere;  // the record of that source that was derived last; nowhere: none

  bool operator==(const source_tag&) const = default;
};

// What becomes true together. The judged part is here; `body` is what application writes beside it
// (events, list entry, rows for sinks), in the store's own encoding, which nothing here reads.
struct atom {
  session_key session;       // an empty session: documents and rows of the tenant alone
  std::uint32_t epoch = 0;   // that the events in `body` carry: their claim's
  std::uint32_t events = 0;  // dense behind the head
  std::optional<std::uint64_t> expected;  // the head's seq before; none: whatever it is
  bool removes = false;                   // after its events nothing of the session is kept
  std::vector<key_use> keys;
  std::vector<document_write> documents;  // all or none
  std::optional<source_tag> source;
  std::string body;

  bool operator==(const atom&) const = default;
};

// Says that the owner lives, where nothing else does; extends its lease.
struct alive {
  bool operator==(const alive&) const = default;
};

// The last record of a claim: the owner has ended its effects, and nothing of it counts any more.
struct release {
  std::string to;  // node id that is meant to claim; empty: whoever does

  bool operator==(const release&) const = default;
};

// From here on records may be written in this format: all members know it.
struct format_opened {
  std::uint16_t format = 0;

  bool operator==(const format_opened&) const = default;
};

// A record under a claim.
struct owned {
  log_offset claim = nowhere;  // where the owner's own claim stands
  std::uint64_t n = 0;         // dense from 1 in a claim
  std::int64_t time_ms = 0;    // the owner's wall clock, and not before what it has read
  std::uint64_t digest = 0;    // partition_state::digest before it, as the owner has it
  std::variant<atom, alive, release, format_opened> what;

  bool operator==(const owned&) const = default;
};

struct record {
  std::uint16_t format = format_first;
  std::variant<born, claim, owned> what;

  bool operator==(const record&) const = default;
};

}  // namespace soma::cluster
