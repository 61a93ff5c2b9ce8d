// The store as one: sessions' logs, answers kept for their keys, documents. Who needs one of them
// takes its port (session_log.hpp, idempotency_records.hpp, documents.hpp, outbox.hpp). Two
// implementations: rocksdb_event_log (the store) and memory_event_log (its in-memory twin for
// tests); tests/storage/event_log_contract.hpp runs against both.
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
#include <string>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "storage/documents.hpp"
#include "storage/idempotency_records.hpp"
#include "storage/outbox.hpp"
#include "storage/session_log.hpp"

namespace soma::storage {

class event_log : public session_log,
                  public idempotency_records,
                  public document_store,
                  public outbox_rows {
 public:
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
  bool follows_logs = false;     // set by open_rocksdb_replica_store
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
