// Every session's sequenced, append-only events, and what must change in the same atom with them.
// Threads, blocking and errors: as event_log.hpp says.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/event.hpp"
#include "core/ids.hpp"
#include "core/sharing.hpp"
#include "storage/documents.hpp"
#include "storage/idempotency_records.hpp"

namespace soma::storage {

struct encoded_event {
  std::uint64_t seq = 0;
  event_type type{};
  std::string json;  // the envelope, one line; its event_id is <store epoch>.<seq>
};

// What a session list shows, and what readers need to know of a log. Kept in the head.
struct session_info {
  std::string title, persona_id;
  std::string user_id;  // whose it is; empty: nobody's
  std::int64_t created_at_ms = 0;
  std::int64_t updated_at_ms = 0;   // order of the session list
  std::uint64_t message_count = 0;  // message.user
  bool paused = false;
  bool busy = false;  // unfinished work: listed by busy_sessions() until cleared
  soma::sharing sharing{};

  bool operator==(const session_info&) const = default;
};

struct epoch_start {
  std::uint32_t epoch = 0;
  std::uint64_t first_seq = 0;  // first event this epoch wrote
};

struct session_head {
  std::uint64_t seq = 0;            // last event; 0: none
  std::uint64_t first_seq = 1;      // below it nothing is kept (a reset moved it)
  std::uint64_t compact_seq = 0;    // deltas and progress below it belong to finished messages
  std::vector<epoch_start> epochs;  // ascending
  session_info info;

  std::uint32_t epoch_of(std::uint64_t at_seq) const;  // 0 when no epoch holds it
  event_id last_id() const { return {epoch_of(seq), seq}; }
};

struct outbox_row {
  std::string sink;     // kafka, somabrain, audit
  std::string payload;  // what the sink gets
};

// Documents that cease to be with the events: all of a collection whose keys begin so. `prefix`
// ends in a byte below 0xff.
struct documents_gone {
  std::string collection, prefix;
};

struct append_op {
  session_key key;
  std::uint32_t epoch = 0;            // that its events' ids have; 0: the log's own, whatever it is
  std::uint64_t expected_seq = 0;     // the head's seq before; 0: the session must not exist
  std::vector<encoded_event> events;  // dense from expected_seq + 1; may be empty
  std::optional<session_info> info;   // replaces the head's
  std::optional<std::uint64_t> compact_seq;
  std::optional<std::uint64_t> first_seq;  // reset: everything below is deleted in the same atom
  bool remove = false;                     // after the events nothing of the session is kept
  std::vector<idempotency_record> idempotency;  // put if absent: else the whole op is refused
  std::vector<outbox_row> outbox;
  std::vector<documents_gone> gone;  // before `documents` come
  std::vector<document_row> documents;
  bool publish_staged = false;  // the events written by `stage` become this session's log
  // What the session's state is at the end of the events, in its owner's words: a cache of this
  // store's own, in the place of an earlier one. A removal and a reset delete the one that is
  // there.
  std::optional<std::string> snapshot{};
};

struct read_options {
  std::uint64_t after_seq = 0;
  std::uint64_t before_seq = UINT64_MAX;  // exclusive
  bool backwards = false;                 // newest first, from before_seq down
  bool compact = false;                   // leave out deltas and progress below compact_seq
  std::uint32_t types = 0;                // bit (1 << type); 0: all
  std::size_t events_max = 1000;
  std::size_t bytes_max = 256 * 1024;  // stops after the event that passes it
};

struct stored_event {
  event_id id;
  event_type type{};
  std::string json;
};

struct event_page {
  std::vector<stored_event> events;
  std::uint64_t scanned_seq = 0;  // last seq looked at, filtered ones included
  bool end = false;               // nothing further that way
};

struct session_row {
  session_id session;
  session_head head;
};
// Whose sessions a list has: those that it names true for; empty: all. Called while the store is
// read: must not call it.
using session_filter = std::function<bool(const session_info&)>;

struct session_list_options {
  std::string cursor{};  // opaque, from next_cursor; another: request.invalid_parameter
  std::string query{};   // case-insensitive part of the title
  session_filter shows{};
  std::size_t limit = 50;
  std::size_t looked_at_max =
      5000;  // a page ends after about that many rows, with a cursor, however few fit
  std::size_t bytes_max =
      1024 * 1024;  // of titles and the like; stops after the row that passes it
};
struct session_list_page {
  std::vector<session_row> sessions;  // newest updated_at_ms first, ties by id
  std::string next_cursor;  // empty: no more; a page may be short, or empty, and not the last
};

class session_log {
 public:
  virtual ~session_log() = default;

  // The epoch of every event appended through this opening of the store. Durable before open
  // returns, and larger than that of any earlier opening.
  virtual std::uint32_t epoch() const = 0;
  // Of this session's next event: where many nodes share the logs, the epoch is a claim's, and
  // grows while the store is open. 0: this node cannot say, since it does not own the session.
  virtual std::uint32_t epoch_of(const session_key& /*key*/) const { return epoch(); }

  // Writes all ops whose expected_seq holds in one synced batch; results come in the ops' order.
  // An op that fails (session.head_mismatch, event.too_large, storage.full) leaves nothing behind
  // and does not hinder the others. Two ops of one session in one call chain. An op with a record
  // whose key is there, of an earlier op of this call or before, and not older than its ttl_ms by
  // the new record's own time, fails with idempotency.exists about that key, whatever else is said
  // against it. Success: new head seq.
  virtual std::vector<result<std::uint64_t>> commit(std::span<const append_op> ops) = 0;

  // Whether an append is true only later than it was handed over, and others' become true here,
  // too: then `submit` is the way to write, many at once, and what became true is told by
  // `on_applied`, in its order, before its writer is answered.
  virtual bool answers_later() const { return false; }
  // As commit; `done` gets the results, on any thread, perhaps before this returns.
  using committed = std::function<void(std::vector<result<std::uint64_t>>)>;
  virtual void submit(std::vector<append_op> ops, committed done) { done(commit(ops)); }
  // An append as it became true, and the id of its session's last event. Called on one thread,
  // which must not be kept waiting nor write. An empty one: nobody is told any more, from the
  // moment this returns.
  using applied = std::function<void(const append_op&, event_id last)>;
  virtual void on_applied(applied /*told*/) {}

  virtual result<session_head> head(const session_key& key) const = 0;  // session.not_found
  virtual result<event_page> read(const session_key& key, const read_options& options) const = 0;
  // The last append_op::snapshot; none where there is none. What is damaged is an error of this
  // call only: the session is whole without it, and nobody else is told.
  virtual result<std::optional<std::string>> snapshot(const session_key& key) const = 0;
  virtual result<session_list_page> list(const tenant_id& tenant,
                                         const session_list_options& options) const = 0;
  virtual result<std::vector<session_key>> busy_sessions() const = 0;
  // About what a tenant's events take on the disk; 0 until the first of them is written after a
  // start. What was deleted counts until its space is given back. Never blocks.
  virtual std::uint64_t stored_bytes(const tenant_id& tenant) const = 0;
  virtual result<std::vector<tenant_id>> tenants() const = 0;

  // Writes events of a session that does not exist yet, dense from 1, invisible until an append_op
  // with publish_staged names it (with the last staged seq as expected_seq); until then other
  // appends to it fail with session.busy. Left-overs of a crash are deleted at the next open. For
  // imports and forks larger than one batch. Not synced by itself.
  virtual result<void> stage(const session_key& key, std::span<const encoded_event> events) = 0;
  virtual result<void> discard_staged(const session_key& key) = 0;
};

}  // namespace soma::storage
