// The store: RocksDB with a column family a kind of row; docs/event-log.md is the prose. Every
// commit is one synced batch. rocksdb_open.cpp opens, rocksdb_write.cpp and rocksdb_outbox.cpp
// write, rocksdb_read.cpp reads, rocksdb_keep.cpp is the keeper's thread. Private to storage.
// Threads: as the port says; a writing call holds write_mutex_, private functions that write expect
// it held.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/db.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/may_block.hpp"
#include "storage/head_rules.hpp"
#include "storage/key_codec.hpp"
#include "storage/replica_store.hpp"
#include "storage/rocksdb_testing.hpp"
#include "storage/store_keeper.hpp"
#include "storage/tenant_sizes.hpp"

namespace soma::storage {

enum family : std::size_t {
  meta,
  events,
  sessions,
  recency,
  busy,
  outbox,
  idempotency,
  idempotency_age,
  staging,
  documents,
  snapshots,
  family_count
};
// Names are on disk: retired ones stay reserved.
inline constexpr std::array<const char*, family_count> family_names = {
    "default",     "events",          "sessions", "recency",   "busy",     "outbox",
    "idempotency", "idempotency_age", "staging",  "documents", "snapshots"};

// In `meta`: rows of who follows a log.
inline constexpr std::string_view replica_prefix = "replica/";

inline std::string_view view(const rocksdb::Slice& s) {
  return {s.data(), s.size()};
}
inline rocksdb::Slice slice(std::string_view s) {
  return {s.data(), s.size()};
}

inline error error_of(const rocksdb::Status& s) {
  if (s.IsCorruption()) return {codes::storage_corrupt, s.ToString()};
  return {s.IsNoSpace() ? codes::storage_full : codes::storage_unavailable, s.ToString()};
}

class rocksdb_event_log final : public replica_store {
 public:
  rocksdb_event_log(const store_options& options, const store_seams& seams);
  ~rocksdb_event_log() override;

  result<void> open();

  std::uint32_t epoch() const override { return epoch_; }
  std::vector<result<std::uint64_t>> commit(std::span<const append_op> ops) override;
  result<session_head> head(const session_key& key) const override;
  result<event_page> read(const session_key& key, const read_options& options) const override;
  result<std::optional<std::string>> snapshot(const session_key& key) const override;
  result<session_list_page> list(const tenant_id& tenant,
                                 const session_list_options& options) const override;
  result<std::vector<session_key>> busy_sessions() const override;
  std::uint64_t stored_bytes(const tenant_id& tenant) const override { return sizes_.of(tenant); }
  result<std::vector<tenant_id>> tenants() const override;
  result<std::optional<idempotency_record>> find_idempotency(std::string_view key) const override;
  result<std::size_t> expire_idempotency(std::int64_t before_ms, std::size_t rows_max) override;
  result<void> put_idempotency(const idempotency_record& record,
                               std::span<const document_row> made) override;
  result<void> stage(const session_key& key, std::span<const encoded_event> events) override;
  result<void> discard_staged(const session_key& key) override;
  result<std::optional<std::string>> get_document(std::string_view collection,
                                                  std::string_view key) const override;
  result<void> put_document(std::string_view collection, std::string_view key,
                            std::string_view value) override;
  result<void> put_documents(
      std::string_view collection,
      std::span<const std::pair<std::string, std::string>> documents) override;
  result<void> delete_document(std::string_view collection, std::string_view key) override;
  result<void> change_documents(std::string_view collection,
                                std::span<const document_change> changes) override;
  result<std::vector<std::pair<std::string, std::string>>> list_documents(
      std::string_view collection, std::string_view prefix, std::size_t limit,
      std::string_view after) const override;
  result<outbox_page> read_outbox(std::string_view sink, std::uint64_t after,
                                  std::size_t rows_max) const override;
  result<void> delete_outbox(std::string_view sink,
                             const std::vector<std::uint64_t>& numbers) override;
  result<bool> write_rows(const row_batch& rows) override;
  void on_outbox(std::function<void(std::uint64_t)> told) override;
  result<void> checkpoint(const std::string& folder) const override;
  counters stats() const override;

  result<std::uint64_t> apply(const judged_write& what) override;
  std::optional<error> refuses_writes() const override { return disk_refuses(); }
  std::size_t event_bytes_max() const override { return options_.event_bytes_max; }
  result<std::optional<std::uint64_t>> head_seq(const session_key& key) override;
  result<std::optional<std::uint64_t>> staged_seq(const session_key& key) const override;
  result<std::optional<std::string>> row(std::string_view key) const override;
  result<std::vector<std::pair<std::string, std::string>>> rows(
      std::string_view prefix, std::size_t limit, std::string_view after) const override;

 private:
  friend class store_rebuild;
  using iterator = std::unique_ptr<rocksdb::Iterator>;
  // Heads as the ops of one batch leave them; empty: removed.
  using head_overlay = std::unordered_map<session_key, std::optional<session_head>>;
  // What the ops of one batch have put so far.
  struct batch_state {
    head_overlay heads;
    std::unordered_map<std::string, idempotency_record> records;
  };

  rocksdb::Status open_database(bool read_only);
  void close_database();
  rocksdb::Options database_options() const;
  rocksdb::ColumnFamilyOptions family_options(family f) const;
  result<void> drop_torn_zeros(const std::string& path);
  result<void> begin();
  void tell(const std::string& notice) const {
    if (options_.on_notice) options_.on_notice(notice);
  }
  result<void> check_format();
  result<void> begin_epoch();
  result<void> drop_left_over_stages();
  result<void> check_whose();

  enum class room { any, for_deleting };  // what is about to be written
  result<std::optional<session_head>> head_before(const session_key& key, const head_overlay& now);
  // How an append is taken: by this store's own judgement, or as a log has it.
  struct judging {
    std::uint32_t epoch = 0;
    std::size_t event_bytes_max = 0;
    bool judged_elsewhere = false;
  };
  result<session_head> add(rocksdb::WriteBatch& batch, const append_op& op, batch_state& state,
                           const judging& how);
  result<std::uint64_t> add_judged(rocksdb::WriteBatch& batch, const judged_write& what,
                                   batch_state& state);
  result<void> end_stages(rocksdb::WriteBatch& batch, const judged_write& what);
  void keep_heads(head_overlay heads);
  // Why a record may not be put, if so: idempotency.exists, or the store's own failure.
  std::optional<error> refuses_records(std::span<const idempotency_record> records,
                                       const batch_state& state) const;
  void add_index_rows(rocksdb::WriteBatch& batch, const append_op& op, const session_head* before,
                      const session_head& after);
  void add_removal(rocksdb::WriteBatch& batch, const append_op& op, const session_head* before);
  void add_record(rocksdb::WriteBatch& batch, const idempotency_record& record);
  void add_outbox(rocksdb::WriteBatch& batch, const std::vector<outbox_row>& rows);
  void tell_outbox(std::size_t rows);
  result<void> write(rocksdb::WriteBatch& batch, const rocksdb::WriteOptions& how,
                     room what = room::any);
  result<void> ready_to_write(room what = room::any);
  result<void> leave_full_disk(room what);
  bool lacks_room_to_recover(std::uint64_t at_least) const;
  void leave_tightness();
  std::uint64_t flush_needs_bytes() const;
  error fail_for_good(const rocksdb::Status& why);
  std::optional<error> disk_refuses() const;
  void note_added(const session_key& key, std::span<const encoded_event> events);
  void measure(const tenant_id& tenant);
  result<std::optional<std::string>> get(family f, std::string_view key) const;
  result<event_page> read_as_of_now(const session_key& key, const read_options& options) const;
  result<session_head> head_as_of(const rocksdb::ReadOptions& how, const session_key& key) const;
  result<std::optional<idempotency_record>> record_of(std::string_view key) const;
  error failed_read(const session_key& key, const rocksdb::Status& s) const;
  void tell_damage(const error& what, const session_key* session) const;

  std::shared_ptr<rocksdb::EventListener> make_listener() const;
  void step_aside(const std::string& family_name, const std::string& why);
  void note_deleted(const session_key& key);
  void note_deleted_documents();
  void reclaim_in(std::chrono::milliseconds delay);
  bool drop_deleted_tables();  // true: there are more
  bool make_room_to_flush();
  bool flush_all();
  bool wait_for_flushes() const;
  std::uint64_t memtables_waiting() const;
  void resume_compactions();
  enum class reclaimed { all, some, none };  // none: there was no room for it
  reclaimed reclaim();
  bool any_deletions() const;  // that are still marks over what they delete

  store_options options_;
  store_seams seams_;
  std::shared_ptr<rocksdb::Cache> cache_;
  std::shared_ptr<rocksdb::Logger> log_file_;
  rocksdb::WriteOptions sync_;
  std::uint32_t epoch_ = 0;

  // Reading calls share it; leave_full_disk, which opens the database anew, has it alone.
  mutable shared_disk_mutex open_mutex_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;

  disk_mutex write_mutex_;  // held through every writing call; taken before open_mutex_
  std::unordered_map<session_key, session_head> heads_;  // what the store holds, of some sessions
  tenant_sizes sizes_;
  std::uint64_t next_outbox_ = 0;
  std::function<void(std::uint64_t)> outbox_told_;
  std::int64_t no_record_before_ms_ = 0;  // idempotency records
  bool failed_ = false;                   // for good
  bool disk_full_ = false;                // nothing can be written until leave_full_disk
  // Opened with no room for tables: what the logs hold stays there until the next flush.
  bool tight_ = false;
  // Opened with no compactions but those by hand: others would take the room that these need.
  bool quiet_ = false;
  std::atomic<bool> no_room_ = false;  // a flush or a compaction found none, since it was opened
  std::atomic<bool> opened_anew_ = false;  // since what was deleted began to be flushed

  mutable std::mutex told_mutex_;
  mutable std::set<std::string> told_;  // whose damage was told

  // Under write_mutex_: sessions of which events were deleted, and when their space is given back.
  std::set<session_key> deleted_;
  bool owes_space_ = false;  // something was deleted that may be in tables or logs
  unsigned rounds_ = 0;      // of reclaiming, in a row, that left some
  unsigned rounds_without_room_ = 0;
  std::optional<store_keeper::clock::time_point> reclaim_due_;
  store_keeper::clock::time_point no_reclaim_before_{};
  std::atomic<bool> stop_compacting_ = false;  // ends a manual compaction that is under way
  // Two, since the janitor's jobs are long. They begin last and end first.
  store_keeper guard_, janitor_;

  std::atomic<std::uint64_t> events_{0}, batches_{0}, bytes_{0}, outbox_rows_{0}, sync_us_{0};
};

}  // namespace soma::storage
