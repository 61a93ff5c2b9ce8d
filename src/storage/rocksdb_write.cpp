// The writing half of the store.
#include <algorithm>
#include <chrono>
#include <filesystem>

#include "storage/rocksdb_event_log.hpp"
#include "storage/store_files.hpp"

namespace soma::storage {
namespace {

constexpr std::size_t cached_heads_max = 16'384;

error failed_earlier() {
  return {codes::storage_unavailable, "the store failed earlier"};
}

error disk_full(const rocksdb::Status& s) {
  return {codes::storage_full, "the disk is full: " + s.ToString()};
}

// A sync that finds no space may have lost what an earlier write was told is kept.
bool is_of_a_sync(const rocksdb::Status& s) {
  const auto text = s.ToString();
  return text.find("While fdatasync") != std::string::npos ||
         text.find("While fsync") != std::string::npos;
}

// A write that had to wait for a flush, which found no space, says so in words only.
bool is_of_a_full_disk(const rocksdb::Status& s) {
  return s.IsNoSpace() ||
         (s.IsIncomplete() && s.ToString().find("No space left on device") != std::string::npos);
}

// Deletions and resets free space, so a disk that is nearly full takes them.
bool may_use_reserve(const append_op& op) {
  return op.remove || op.first_seq;
}

// What a write left that found no space, and takes room away.
void cut_torn_end(const std::string& folder) {
  const auto logs = wal_files(folder);
  if (logs.empty()) return;
  const auto state = check_record_file(logs.back().path, record_check::headers);
  if (state && !state->damage && state->good_bytes < state->size)
    (void)cut_file(logs.back().path, state->good_bytes);
}

}  // namespace

std::optional<error> rocksdb_event_log::disk_refuses() const {
  const auto free_bytes = seams_.free_bytes(options_.data_dir);
  if (!free_bytes || *free_bytes >= options_.min_free_bytes) return std::nullopt;
  return error(codes::storage_full, "the disk has " + std::to_string(*free_bytes >> 20) +
                                        " MiB left, fewer than storage.min_free_bytes");
}

void rocksdb_event_log::note_added(const session_key& key, std::span<const encoded_event> events) {
  std::uint64_t bytes = 0;
  for (const auto& e : events) bytes += e.json.size();
  if (bytes > 0 && sizes_.add(key.tenant, bytes)) measure(key.tenant);
}

// By the indexes of tables and memtables; nothing is read of what they hold.
void rocksdb_event_log::measure(const tenant_id& tenant) {
  const auto prefix = tenant_prefix(tenant), end = after_prefix(prefix);
  const rocksdb::Range all(slice(prefix), slice(end));
  rocksdb::SizeApproximationOptions how;
  how.include_memtables = true;
  std::uint64_t bytes = 0;
  if (db_->GetApproximateSizes(how, families_[events], &all, 1, &bytes).ok())
    sizes_.measured(tenant, bytes);
}

// Which makes tables of all logs.
bool rocksdb_event_log::lacks_room_to_recover(std::uint64_t at_least) const {
  constexpr std::uint64_t beside_tables = 1u << 20;
  const auto free_bytes = seams_.free_bytes(options_.data_dir);
  std::uint64_t needed = beside_tables;
  std::error_code ec;
  for (const auto& log : wal_files(store_folder(options_.data_dir))) {
    const auto bytes = std::filesystem::file_size(log.path, ec);
    if (!ec) needed += bytes;
  }
  return free_bytes && *free_bytes < std::max(needed, at_least);
}

// After a failed write or fsync nobody knows what is on the disk: never try again.
error rocksdb_event_log::fail_for_good(const rocksdb::Status& s) {
  auto why = error_of(s);
  if (why.code == codes::storage_full) why.code = codes::storage_unavailable;
  failed_ = true;
  options_.on_fatal(why);
  return why;
}

// Once a write has hit a full disk, RocksDB takes none, and its WAL ends in a torn record. What was
// acknowledged lies before that record, so opening anew finds it and begins a new WAL. (RocksDB's
// own Resume goes on in the torn WAL if nothing else waits to be flushed, and dies of an assertion
// if it was the beginning of a new WAL that failed.)
result<void> rocksdb_event_log::leave_full_disk(room what) {
  // There may never be room unless something is deleted.
  const bool tight = lacks_room_to_recover(2 * seams_.wal_bytes);
  if (tight && what != room::for_deleting) return error(codes::storage_full, "the disk is full");
  stop_compacting_ = true;
  const std::unique_lock alone(open_mutex_);
  stop_compacting_ = false;
  close_database();
  heads_.clear();
  tight_ = tight;
  quiet_ = tight || (owes_space_ && what == room::for_deleting);
  no_room_ = false;
  opened_anew_ = true;
  if (tight) cut_torn_end(store_folder(options_.data_dir));
  const auto opened = open_database(false);
  disk_full_ = !opened.ok();
  if (opened.ok()) return {};
  if (!opened.IsNoSpace()) return fail_for_good(opened);
  // Full again already. Reading goes on.
  if (const auto s = open_database(true); !s.ok()) return fail_for_good(s);
  return disk_full(opened);
}

// There is room for tables, so that the logs become some as ever.
void rocksdb_event_log::leave_tightness() {
  if (!tight_) return;
  const auto bytes = std::to_string(seams_.wal_bytes);
  tight_ = !db_->SetDBOptions({{"max_total_wal_size", bytes}}).ok();
}

result<void> rocksdb_event_log::ready_to_write(room what) {
  if (failed_) return failed_earlier();
  if (tight_ && !disk_full_) {
    const auto free_bytes = seams_.free_bytes(options_.data_dir);
    if (free_bytes && *free_bytes >= 2 * seams_.wal_bytes) leave_tightness();
  }
  return disk_full_ ? leave_full_disk(what) : result<void>();
}

result<void> rocksdb_event_log::write(rocksdb::WriteBatch& batch, const rocksdb::WriteOptions& how,
                                      room what) {
  // Twice: the disk may have been full for a flush in the background, and have space by now. Should
  // the first try be found in the log after all, the second changes nothing.
  for (bool again = false;; again = true) {
    const auto s = db_->Write(how, &batch);
    if (s.ok()) return {};
    if (!is_of_a_full_disk(s) || is_of_a_sync(s)) return fail_for_good(s);
    disk_full_ = true;
    if (again) return disk_full(s);
    if (const auto left = leave_full_disk(what); !left) return left;
  }
}

result<std::optional<session_head>> rocksdb_event_log::head_before(const session_key& key,
                                                                   const head_overlay& now) {
  if (const auto at = now.find(key); at != now.end()) return at->second;
  if (const auto at = heads_.find(key); at != heads_.end()) return std::optional(at->second);
  auto stored = head_as_of({}, key);
  if (stored) return std::optional(std::move(*stored));
  if (stored.error().code == codes::session_not_found) return std::optional<session_head>();
  return stored.error();
}

void rocksdb_event_log::add_removal(rocksdb::WriteBatch& batch, const append_op& op,
                                    const session_head* before) {
  const auto prefix = session_prefix(op.key);
  batch.DeleteRange(families_[events], prefix, after_prefix(prefix));
  batch.Delete(families_[sessions], prefix);
  batch.Delete(families_[snapshots], prefix);
  batch.Delete(families_[busy], prefix);
  if (before) batch.Delete(families_[recency], recency_key(op.key, before->info.updated_at_ms));
}

void rocksdb_event_log::add_index_rows(rocksdb::WriteBatch& batch, const append_op& op,
                                       const session_head* before, const session_head& after) {
  const auto prefix = session_prefix(op.key);
  if (!before || before->info.updated_at_ms != after.info.updated_at_ms) {
    if (before) batch.Delete(families_[recency], recency_key(op.key, before->info.updated_at_ms));
    batch.Put(families_[recency], recency_key(op.key, after.info.updated_at_ms), {});
  }
  const bool was_busy = before && before->info.busy;
  if (after.info.busy && !was_busy) batch.Put(families_[busy], prefix, {});
  if (!after.info.busy && was_busy) batch.Delete(families_[busy], prefix);
}

std::optional<error> rocksdb_event_log::refuses_records(std::span<const idempotency_record> records,
                                                        const batch_state& state) const {
  for (const auto& record : records) {
    if (const auto at = state.records.find(record.key); at != state.records.end()) {
      if (auto taken = taken_by(at->second, record)) return taken;
      continue;
    }
    const auto kept = record_of(record.key);
    if (!kept) return kept.error();
    if (!*kept) continue;
    if (auto taken = taken_by(**kept, record)) return taken;
  }
  return std::nullopt;
}

result<session_head> rocksdb_event_log::add(rocksdb::WriteBatch& batch, const append_op& op,
                                            batch_state& state, const judging& how) {
  if (!how.judged_elsewhere)
    if (auto refused = refuses_records(op.idempotency, state)) return *refused;
  auto& now = state.heads;
  auto found = head_before(op.key, now);
  if (!found) return found.error();
  const session_head* before = *found ? &**found : nullptr;
  std::optional<std::uint64_t> staged_seq;
  if (!before &&
      !now.contains(op.key)) {  // an op before it in the batch has used up what was staged
    auto marker = get(staging, session_prefix(op.key));
    if (!marker) return marker.error();
    if (*marker) staged_seq = get_number(**marker);
  }
  auto after = next_head(before, staged_seq, op, how.epoch, how.event_bytes_max);
  if (!after) return after.error();

  const auto prefix = session_prefix(op.key);
  for (const auto& e : op.events)
    batch.Put(families_[events], event_key(op.key, e.seq), event_value(e.type, how.epoch, e.json));
  for (const auto& record : op.idempotency) {
    add_record(batch, record);
    state.records[record.key] = record;
  }
  for (const auto& d : op.gone) {
    const auto prefix = document_key(d.collection, d.prefix);
    batch.DeleteRange(families_[documents], prefix, after_prefix(prefix));
  }
  for (const auto& d : op.documents)
    batch.Put(families_[documents], document_key(d.collection, d.key), d.value);
  add_outbox(batch, op.outbox);
  if (op.publish_staged) batch.Delete(families_[staging], prefix);
  if (op.remove) {
    add_removal(batch, op, before);
    now[op.key] = std::nullopt;
    return after;
  }
  if (op.first_seq) {
    batch.DeleteRange(families_[events], prefix, event_key(op.key, *op.first_seq));
    batch.Delete(families_[snapshots], prefix);
  }
  if (op.snapshot) batch.Put(families_[snapshots], prefix, *op.snapshot);
  add_index_rows(batch, op, before, *after);
  batch.Put(families_[sessions], prefix, encode_head(*after));
  now[op.key] = *after;
  return after;
}

std::vector<result<std::uint64_t>> rocksdb_event_log::commit(std::span<const append_op> ops) {
  std::vector<result<std::uint64_t>> results;
  results.reserve(ops.size());
  const std::lock_guard lock(write_mutex_);
  const bool deletes = std::any_of(ops.begin(), ops.end(), may_use_reserve);
  if (const auto ready = ready_to_write(deletes ? room::for_deleting : room::any); !ready) {
    results.assign(ops.size(), ready.error());
    return results;
  }
  auto full = disk_refuses();
  if (tight_ && !full) full = error(codes::storage_full, "the disk is full");
  batch_state state;
  std::uint64_t added = 0, rows = 0, bytes = 0;
  auto begin = std::chrono::steady_clock::now();
  for (;;) {
    rocksdb::WriteBatch batch;
    state = {};
    added = rows = 0;
    results.clear();
    for (const auto& op : ops) {
      if (full && !may_use_reserve(op)) {
        results.push_back(*full);
        continue;
      }
      // A refused op must leave nothing in the batch: checks come before the first Put of `add`.
      auto head = add(batch, op, state, {epoch_, options_.event_bytes_max});
      if (!head) {
        results.push_back(head.error());
        continue;
      }
      results.push_back(head->seq);
      added += op.events.size();
      rows += op.outbox.size();
    }
    if (batch.Count() == 0) return results;
    bytes = batch.GetDataSize();
    begin = std::chrono::steady_clock::now();
    const auto written = write(batch, sync_, deletes && full ? room::for_deleting : room::any);
    if (written) break;
    // What else was to be written is no reason to refuse what makes room.
    if (deletes && !full && written.error().code == codes::storage_full) {
      full = written.error();
      if (ready_to_write(room::for_deleting)) continue;
    }
    for (auto& r : results)
      if (r) r = written.error();
    return results;
  }
  const auto took = std::chrono::steady_clock::now() - begin;
  sync_us_ = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  ++batches_;
  events_ += added;
  outbox_rows_ += rows;
  bytes_ += bytes;
  tell_outbox(rows);
  for (std::size_t n = 0; n < ops.size(); ++n) {
    const auto& op = ops[n];
    if (results[n]) note_added(op.key, op.events);
    if (!op.gone.empty()) note_deleted_documents();
    if (op.remove || op.first_seq) note_deleted(op.key);
  }
  keep_heads(std::move(state.heads));
  return results;
}

void rocksdb_event_log::keep_heads(head_overlay heads) {
  if (heads_.size() + heads.size() > cached_heads_max) heads_.clear();
  for (auto& [key, head] : heads) {
    if (head)
      heads_[key] = std::move(*head);
    else
      heads_.erase(key);
  }
}

result<void> rocksdb_event_log::stage(const session_key& key,
                                      std::span<const encoded_event> staged) {
  const std::lock_guard lock(write_mutex_);
  if (const auto ready = ready_to_write(); !ready) return ready;
  if (const auto full = disk_refuses()) return *full;
  if (const auto existing = head_as_of({}, key); existing)
    return error(codes::session_busy, "the session exists already");
  else if (existing.error().code != codes::session_not_found)
    return existing.error();
  rocksdb::WriteBatch batch;
  for (const auto& e : staged) {
    if (e.json.size() > options_.event_bytes_max)
      return error(codes::event_too_large, "the event is larger than the log takes");
    batch.Put(families_[events], event_key(key, e.seq), event_value(e.type, epoch_, e.json));
  }
  if (staged.empty()) return {};
  std::string last;
  put_number(last, staged.back().seq, 8);
  batch.Put(families_[staging], session_prefix(key), last);
  auto written = write(batch, {});
  if (written) note_added(key, staged);
  return written;
}

result<void> rocksdb_event_log::discard_staged(const session_key& key) {
  const std::lock_guard lock(write_mutex_);
  if (const auto ready = ready_to_write(room::for_deleting); !ready) return ready;
  const auto prefix = session_prefix(key);
  auto marker = get(staging, prefix);
  if (!marker) return marker.error();
  if (!*marker) return {};
  rocksdb::WriteBatch batch;
  batch.DeleteRange(families_[events], prefix, after_prefix(prefix));
  batch.Delete(families_[staging], prefix);
  auto written = write(batch, {});
  if (written) note_deleted(key);
  return written;
}

void rocksdb_event_log::add_record(rocksdb::WriteBatch& batch, const idempotency_record& record) {
  batch.Put(families_[idempotency], record.key, encode_record(record));
  batch.Put(families_[idempotency_age], age_key(record.created_at_ms, record.key), {});
  no_record_before_ms_ = std::min(no_record_before_ms_, record.created_at_ms);
}

// Begins where the last call ended: rows deleted before that are slow to step over.
result<std::size_t> rocksdb_event_log::expire_idempotency(std::int64_t before_ms,
                                                          std::size_t rows_max) {
  const std::lock_guard lock(write_mutex_);
  if (const auto ready = ready_to_write(); !ready) return ready.error();
  auto reached_ms = std::max(before_ms, no_record_before_ms_);
  std::size_t rows = 0;
  rocksdb::WriteBatch batch;
  const auto upper = age_key(before_ms, {});
  const rocksdb::Slice upper_bound(upper);
  rocksdb::ReadOptions how;
  how.iterate_upper_bound = &upper_bound;
  iterator it(db_->NewIterator(how, families_[idempotency_age]));
  for (it->Seek(age_key(no_record_before_ms_, {})); it->Valid(); it->Next()) {
    const auto row = parse_age_key(view(it->key()));
    if (!row) return error(codes::storage_corrupt, "the age of a record cannot be read");
    if (rows == rows_max) {
      reached_ms = row->created_at_ms;
      break;
    }
    ++rows;
    batch.Delete(families_[idempotency_age], it->key());
    const auto record = record_of(row->record_key);
    if (!record) return record.error();
    // One that was written anew has a younger row as well.
    if (!*record || (*record)->created_at_ms != row->created_at_ms) continue;
    batch.Delete(families_[idempotency], slice(row->record_key));
  }
  if (!it->status().ok()) return error_of(it->status());
  it.reset();
  if (batch.Count() > 0)
    if (auto ok = write(batch, {}); !ok) return ok.error();
  no_record_before_ms_ = reached_ms;
  return rows;
}

result<void> rocksdb_event_log::put_idempotency(const idempotency_record& record,
                                                std::span<const document_row> made) {
  const std::lock_guard lock(write_mutex_);
  if (const auto ready = ready_to_write(); !ready) return ready;
  if (const auto full = disk_refuses()) return *full;
  if (auto refused = refuses_records({&record, 1}, {})) return *refused;
  rocksdb::WriteBatch batch;
  add_record(batch, record);
  for (const auto& row : made)
    batch.Put(families_[documents], document_key(row.collection, row.key), row.value);
  return write(batch, sync_);
}

result<void> rocksdb_event_log::put_document(std::string_view collection, std::string_view key,
                                             std::string_view value) {
  const std::pair<std::string, std::string> one(key, value);
  return put_documents(collection, {&one, 1});
}

result<void> rocksdb_event_log::put_documents(
    std::string_view collection, std::span<const std::pair<std::string, std::string>> all) {
  const std::lock_guard lock(write_mutex_);
  if (const auto ready = ready_to_write(); !ready) return ready;
  if (const auto full = disk_refuses()) return *full;
  rocksdb::WriteBatch batch;
  for (const auto& [key, value] : all)
    batch.Put(families_[documents], document_key(collection, key), value);
  return write(batch, sync_);
}

result<void> rocksdb_event_log::delete_document(std::string_view collection, std::string_view key) {
  const std::lock_guard lock(write_mutex_);
  if (const auto ready = ready_to_write(room::for_deleting); !ready) return ready;
  rocksdb::WriteBatch batch;
  batch.Delete(families_[documents], document_key(collection, key));
  auto written = write(batch, sync_);
  if (written) note_deleted_documents();
  return written;
}

result<void> rocksdb_event_log::change_documents(std::string_view collection,
                                                 std::span<const document_change> changes) {
  const std::lock_guard lock(write_mutex_);
  if (const auto ready = ready_to_write(); !ready) return ready;
  bool deletes = false, puts = false;
  rocksdb::WriteBatch batch;
  for (const auto& change : changes) {
    const auto key = document_key(collection, change.key);
    (change.value ? puts : deletes) = true;
    if (change.value)
      batch.Put(families_[documents], key, *change.value);
    else
      batch.Delete(families_[documents], key);
  }
  if (!puts && !deletes) return {};
  if (!deletes)
    if (const auto full = disk_refuses()) return *full;
  auto written = write(batch, sync_);
  if (written && deletes) note_deleted_documents();
  return written;
}

}  // namespace soma::storage
