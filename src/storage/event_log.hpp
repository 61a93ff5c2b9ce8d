// The event log port: every session's sequenced, append-only events and what must change in the
// same atom with them. Two implementations: rocksdb_event_log (the store) and memory_event_log (its
// in-memory twin for tests); tests/storage/event_log_contract.hpp runs against both.
//
// Threads: `commit`, `stage` and `discard_staged` belong to one thread at a time (the event
// writer); all other calls are thread-safe. Those that write block on fsync, those that read may
// read the disk: never call either on an io thread or in an actor's worker (core/may_block.hpp ends
// a debug build that does). A returned page is a copy; no iterator or lock outlives a call. Errors:
// a failed write or fsync is fatal for the store: it calls the handler given at open (the process
// exits), and every later writing call fails with storage.unavailable. A full disk is not: the
// writing call fails with storage.full, and later ones succeed once there is space. What is damaged
// on the disk is refused with storage.corrupt, by open or by the call that comes upon it; all else
// goes on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/event.hpp"
#include "core/ids.hpp"

namespace soma::storage {

struct encoded_event {
  std::uint64_t seq = 0;
  event_type type{};
  std::string json;  // the envelope, one line; its event_id is <store epoch>.<seq>
};

// What a session list shows, and what readers need to know of a log. Kept in the head.
struct session_info {
  std::string title, persona_id, user_id;
  std::int64_t created_at_ms = 0;
  std::int64_t updated_at_ms = 0;   // order of the session list
  std::uint64_t message_count = 0;  // message.user
  bool paused = false;
  bool busy = false;  // unfinished work: listed by busy_sessions() until cleared

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

inline constexpr std::int64_t idempotency_ttl_ms = 24ll * 3600 * 1000;  // unless configured

// The first answer to a request with an Idempotency-Key. `key` is the caller's scope and key
// (tenant, caller, route, key) as one string.
struct idempotency_record {
  std::string key;
  std::string request_hash;
  int status = 0;
  std::string response_json;
  std::int64_t created_at_ms = 0;
  // How old one of the same key must be for this one to take its place; not kept with it.
  std::int64_t ttl_ms = idempotency_ttl_ms;
};

struct outbox_row {
  std::string sink;     // kafka, somabrain, audit
  std::string payload;  // what the sink gets
};

// A document (below) that becomes true with the events that name it.
struct document_row {
  std::string collection, key, value;
};

// Documents that cease to be with the events: all of a collection whose keys begin so. `prefix`
// ends in a byte below 0xff.
struct documents_gone {
  std::string collection, prefix;
};

struct document_change {
  std::string key;
  std::optional<std::string> value;  // none: deleted
};

struct append_op {
  session_key key;
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
struct session_list_options {
  std::string cursor{};  // opaque, from next_cursor; another: request.invalid_parameter
  std::string query{};   // case-insensitive part of the title
  std::size_t limit = 50;
  std::size_t looked_at_max =
      5000;  // a page ends after that many rows, with a cursor, however few fit
  std::size_t bytes_max =
      1024 * 1024;  // of titles and the like; stops after the row that passes it
};
struct session_list_page {
  std::vector<session_row> sessions;  // newest updated_at_ms first, ties by id
  std::string next_cursor;  // empty: no more; a page may be short, or empty, and not the last
};

class event_log {
 public:
  virtual ~event_log() = default;

  // The epoch of every event appended through this opening of the store. Durable before open
  // returns, and larger than that of any earlier opening.
  virtual std::uint32_t epoch() const = 0;

  // Writes all ops whose expected_seq holds in one synced batch; results come in the ops' order.
  // An op that fails (session.head_mismatch, event.too_large, storage.full) leaves nothing behind
  // and does not hinder the others. Two ops of one session in one call chain. An op with a record
  // whose key is there, of an earlier op of this call or before, and not older than its ttl_ms by
  // the new record's own time, fails with idempotency.exists about that key, whatever else is said
  // against it. Success: new head seq.
  virtual std::vector<result<std::uint64_t>> commit(std::span<const append_op> ops) = 0;

  virtual result<session_head> head(const session_key& key) const = 0;  // session.not_found
  virtual result<event_page> read(const session_key& key, const read_options& options) const = 0;
  virtual result<session_list_page> list(const tenant_id& tenant,
                                         const session_list_options& options) const = 0;
  virtual result<std::vector<session_key>> busy_sessions() const = 0;
  virtual result<std::vector<tenant_id>> tenants() const = 0;

  virtual result<std::optional<idempotency_record>> find_idempotency(
      std::string_view key) const = 0;
  // Deletes records created before the given time, the oldest first and at most rows_max; returns
  // how many rows were looked at, which is rows_max as long as there are more. Not synced by
  // itself.
  virtual result<std::size_t> expire_idempotency(std::int64_t before_ms, std::size_t rows_max) = 0;
  // A record of an answer that appends nothing to a session (settings, keys). Fails with
  // idempotency.exists as an op does.
  virtual result<void> put_idempotency(const idempotency_record& record) = 0;

  // Writes events of a session that does not exist yet, dense from 1, invisible until an append_op
  // with publish_staged names it (with the last staged seq as expected_seq); until then other
  // appends to it fail with session.busy. Left-overs of a crash are deleted at the next open. For
  // imports and forks larger than one batch. Not synced by itself.
  virtual result<void> stage(const session_key& key, std::span<const encoded_event> events) = 0;
  virtual result<void> discard_staged(const session_key& key) = 0;

  // Small documents that belong to a tenant or the server: settings, keys. Writes are synced.
  virtual result<std::optional<std::string>> get_document(std::string_view collection,
                                                          std::string_view key) const = 0;
  virtual result<void> put_document(std::string_view collection, std::string_view key,
                                    std::string_view value) = 0;
  // All of them or none, in one synced write.
  virtual result<void> put_documents(
      std::string_view collection,
      std::span<const std::pair<std::string, std::string>> documents) = 0;
  virtual result<void> delete_document(std::string_view collection, std::string_view key) = 0;
  // Written, or without a value deleted: all of them or none, in one synced write. What
  // deletes, too, makes room in the end, and is taken on a full disk.
  virtual result<void> change_documents(std::string_view collection,
                                        std::span<const document_change> changes) = 0;
  // By their keys; those behind `after` alone, where that is given. Whoever wants all of them takes
  // each_document (documents.hpp).
  virtual result<std::vector<std::pair<std::string, std::string>>> list_documents(
      std::string_view collection, std::string_view prefix, std::size_t limit,
      std::string_view after = {}) const = 0;

  // A consistent copy that can be opened by itself, in a folder that does not exist yet. Online.
  virtual result<void> checkpoint(const std::string& folder) const = 0;

  struct counters {
    std::uint64_t events = 0, batches = 0, bytes = 0, outbox_rows = 0;
    std::uint64_t sync_us_last = 0;
  };
  virtual counters stats() const = 0;
};

inline constexpr int exit_code_fatal = 70;  // of a process that can acknowledge nothing any more
using fatal_handler = std::function<void(const error&)>;  // must not call the log

// Damage that was come upon: once for each session (and for each table that compaction steps
// around), on any thread. `session`: whose log it is, where that is known.
using damage_handler = std::function<void(const error&, const session_key* session)>;

struct store_options {
  std::string data_dir;
  std::uint64_t min_free_bytes = 256ull << 20;  // below it appends fail with storage.full
  std::uint64_t block_cache_bytes = 32ull << 20;
  std::size_t event_bytes_max = 900 * 1024;
  bool unsafe_no_fsync = false;  // benchmarks and tests of other parts only
  fatal_handler on_fatal;        // called once, on the writing thread; default: _exit(70)
  damage_handler on_damage;      // must not call the log
  int open_files_max = 512;      // tables that are kept open
  std::string release;  // of this program: kept, so that an older one can say what it needs
  // What an operator should know of the opening, in a sentence: a clock or a disk that is not
  // right.
  std::function<void(const std::string&)> on_notice;
};

// Opens or makes the store. Errors: storage.locked (another process has the folder), storage.format
// (made by a newer version), storage.corrupt (names the file), storage.full, storage.unavailable.
result<std::unique_ptr<event_log>> open_rocksdb_event_log(const store_options& options);

std::unique_ptr<event_log> make_memory_event_log(std::uint32_t epoch = 1,
                                                 std::size_t event_bytes_max = 900 * 1024);

}  // namespace soma::storage
