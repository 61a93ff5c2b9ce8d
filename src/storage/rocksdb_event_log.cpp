// The store: RocksDB with a column family a kind of row. Every commit is one synced batch.
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <unordered_map>

#include "storage/head_rules.hpp"
#include "storage/key_codec.hpp"
#include "storage/rocksdb_testing.hpp"

namespace soma::storage {
namespace {

constexpr std::uint64_t format_version = 1;
constexpr std::int64_t epoch_origin_s = 1'577'836'800;  // 2020-01-01: epochs fit 32 bits until 2156
constexpr std::size_t cached_heads_max = 16'384;
constexpr int exit_code_fatal = 70;

enum family : std::size_t {
  meta, events, sessions, recency, busy, outbox, idempotency, staging, documents, family_count
};
// Names are on disk: retired ones stay reserved.
constexpr std::array<const char*, family_count> family_names = {
    "default", "events", "sessions", "recency", "busy", "outbox", "idempotency", "staging",
    "documents"};

std::string_view view(const rocksdb::Slice& s) { return {s.data(), s.size()}; }
rocksdb::Slice slice(std::string_view s) { return {s.data(), s.size()}; }

error error_of(const rocksdb::Status& s) {
  return {s.IsCorruption() ? codes::storage_corrupt : codes::storage_unavailable, s.ToString()};
}

error not_found() { return {codes::session_not_found, "there is no such session"}; }

void exit_at_once(const error& why) {
  std::fprintf(stderr, "soma: the store failed and nothing more is acknowledged: %s\n",
               why.detail.c_str());
  _exit(exit_code_fatal);
}

class rocksdb_event_log final : public event_log {
 public:
  rocksdb_event_log(const store_options& options, rocksdb::Env* env)
      : options_(options), env_(env), cache_(rocksdb::NewLRUCache(options.block_cache_bytes)) {
    if (!options_.on_fatal) options_.on_fatal = exit_at_once;
    sync_.sync = !options_.unsafe_no_fsync;
  }

  ~rocksdb_event_log() override {
    for (auto* handle : families_) db_->DestroyColumnFamilyHandle(handle);
  }

  result<void> open();

  std::uint32_t epoch() const override { return epoch_; }
  std::vector<result<std::uint64_t>> commit(std::span<const append_op> ops) override;
  result<session_head> head(const session_key& key) const override;
  result<event_page> read(const session_key& key, const read_options& options) const override;
  result<session_list_page> list(const tenant_id& tenant,
                                 const session_list_options& options) const override;
  result<std::vector<session_key>> busy_sessions() const override;
  result<std::vector<tenant_id>> tenants() const override;
  result<std::optional<idempotency_record>> find_idempotency(std::string_view key) const override;
  result<std::size_t> expire_idempotency(std::int64_t before_ms) override;
  result<void> put_idempotency(const idempotency_record& record) override;
  result<void> stage(const session_key& key, std::span<const encoded_event> events) override;
  result<void> discard_staged(const session_key& key) override;
  result<std::optional<std::string>> get_document(std::string_view collection,
                                                  std::string_view key) const override;
  result<void> put_document(std::string_view collection, std::string_view key,
                            std::string_view value) override;
  result<void> delete_document(std::string_view collection, std::string_view key) override;
  result<std::vector<std::pair<std::string, std::string>>> list_documents(
      std::string_view collection, std::string_view prefix, std::size_t limit) const override;
  result<void> checkpoint(const std::string& folder) const override;
  counters stats() const override;

 private:
  using iterator = std::unique_ptr<rocksdb::Iterator>;
  // Heads as the ops of one batch leave them; empty: removed.
  using head_overlay = std::unordered_map<session_key, std::optional<session_head>>;

  rocksdb::Options database_options() const;
  rocksdb::ColumnFamilyOptions family_options(family f) const;
  result<void> check_format();
  result<void> begin_epoch();
  result<void> drop_left_over_stages();

  result<std::optional<session_head>> head_before(const session_key& key, const head_overlay& now);
  result<session_head> add(rocksdb::WriteBatch& batch, const append_op& op, head_overlay& now);
  void add_index_rows(rocksdb::WriteBatch& batch, const append_op& op, const session_head* before,
                      const session_head& after);
  void add_removal(rocksdb::WriteBatch& batch, const append_op& op, const session_head* before);
  result<void> write(rocksdb::WriteBatch& batch, const rocksdb::WriteOptions& how);
  std::optional<error> disk_refuses() const;
  result<std::optional<std::string>> get(family f, std::string_view key) const;

  store_options options_;
  rocksdb::Env* env_;
  std::shared_ptr<rocksdb::Cache> cache_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
  rocksdb::WriteOptions sync_;
  std::uint32_t epoch_ = 0;
  std::uint64_t next_outbox_ = 0;  // writer thread
  std::unordered_map<session_key, session_head> heads_;  // writer thread: what the store holds
  std::atomic<bool> failed_{false};
  std::atomic<std::uint64_t> events_{0}, batches_{0}, bytes_{0}, outbox_rows_{0}, sync_us_{0};
};

// ---- opening ----

rocksdb::Options rocksdb_event_log::database_options() const {
  rocksdb::Options o;
  o.create_if_missing = true;
  o.create_missing_column_families = true;
  o.env = env_;
  // The default drops acknowledged writes behind a damaged record without a word.
  o.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  o.paranoid_checks = true;
  o.max_total_wal_size = 64u << 20;  // bounds what a restart replays
  o.db_write_buffer_size = 48u << 20;
  o.max_background_jobs = 2;
  o.keep_log_file_num = 4;
  o.max_log_file_size = 1u << 20;
  o.max_open_files = 512;
  o.bytes_per_sync = 1u << 20;
  return o;
}

rocksdb::ColumnFamilyOptions rocksdb_event_log::family_options(family f) const {
  static const auto filter = std::shared_ptr<const rocksdb::FilterPolicy>(
      rocksdb::NewBloomFilterPolicy(10));
  rocksdb::ColumnFamilyOptions o;
  o.write_buffer_size = f == events ? 32u << 20 : 8u << 20;
  o.compression = rocksdb::kLZ4Compression;
  o.bottommost_compression = rocksdb::kZSTD;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache_;
  table.block_size = 16u << 10;
  table.cache_index_and_filter_blocks = true;  // so that the cache's size bounds the memory
  if (f != events && f != recency) table.filter_policy = filter;
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return o;
}

result<void> rocksdb_event_log::open() {
  std::error_code ec;
  std::filesystem::create_directories(options_.data_dir, ec);
  if (ec)
    return error(codes::storage_unavailable,
                 "cannot make the folder " + options_.data_dir + ": " + ec.message());
  std::vector<rocksdb::ColumnFamilyDescriptor> wanted;
  for (std::size_t f = 0; f < family_count; ++f)
    wanted.emplace_back(family_names[f], family_options(static_cast<family>(f)));
  rocksdb::DB* db = nullptr;
  const auto path = options_.data_dir + "/store";
  const auto opened = rocksdb::DB::Open(database_options(), path, wanted, &families_, &db);
  if (!opened.ok()) {
    const auto text = opened.ToString();
    if (text.find("lock") != std::string::npos && !opened.IsCorruption())
      return error(codes::storage_locked,
                   "another process has the data folder " + options_.data_dir + " open");
    if (opened.IsCorruption())
      return error(codes::storage_corrupt, "the store in " + path + " is damaged: " + text);
    if (text.find("Column famil") != std::string::npos)
      return error(codes::storage_format, "the store in " + path + " is of a newer version: " + text);
    return error(codes::storage_unavailable, "the store in " + path + " cannot be opened: " + text);
  }
  db_.reset(db);
  if (auto ok = check_format(); !ok) return ok;
  if (auto ok = begin_epoch(); !ok) return ok;
  return drop_left_over_stages();
}

result<void> rocksdb_event_log::check_format() {
  auto found = get(meta, "format");
  if (!found) return found.error();
  if (*found) {
    const auto version = get_number(**found);
    if (version == format_version) return {};
    return error(codes::storage_format, "the store has format " + std::to_string(version) +
                                            ", this program reads format " +
                                            std::to_string(format_version));
  }
  std::string value;
  put_number(value, format_version, 8);
  const auto s = db_->Put(sync_, families_[meta], "format", value);
  if (!s.ok()) return error_of(s);
  return {};
}

// Larger than any before, also of a store that a backup brought back: ids are never given twice.
result<void> rocksdb_event_log::begin_epoch() {
  auto found = get(meta, "epoch");
  if (!found) return found.error();
  const std::uint64_t last = *found ? get_number(**found) : 0;
  using namespace std::chrono;
  const auto now_s = duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
  const auto since = static_cast<std::uint64_t>(std::max<std::int64_t>(1, now_s - epoch_origin_s));
  const auto next = std::max(last + 1, since);
  std::string value;
  put_number(value, next, 8);
  const auto s = db_->Put(sync_, families_[meta], "epoch", value);
  if (!s.ok()) return error_of(s);
  epoch_ = static_cast<std::uint32_t>(next);
  next_outbox_ = next << 32;  // behind every row of an earlier epoch
  return {};
}

result<void> rocksdb_event_log::drop_left_over_stages() {
  rocksdb::WriteBatch batch;
  const iterator it(db_->NewIterator({}, families_[staging]));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const auto prefix = it->key().ToString();
    batch.DeleteRange(families_[events], prefix, after_prefix(prefix));
    batch.Delete(families_[staging], prefix);
  }
  if (!it->status().ok()) return error_of(it->status());
  return batch.Count() > 0 ? write(batch, sync_) : result<void>();
}

// ---- writing ----

std::optional<error> rocksdb_event_log::disk_refuses() const {
  struct statvfs disk {};
  if (statvfs(options_.data_dir.c_str(), &disk) != 0) return std::nullopt;
  const auto free_bytes = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (free_bytes >= options_.min_free_bytes) return std::nullopt;
  return error(codes::storage_full, "the disk has " + std::to_string(free_bytes >> 20) +
                                        " MiB left, fewer than storage.min_free_bytes");
}

result<void> rocksdb_event_log::write(rocksdb::WriteBatch& batch, const rocksdb::WriteOptions& how) {
  if (failed_) return error(codes::storage_unavailable, "the store failed earlier");
  const auto s = db_->Write(how, &batch);
  if (s.ok()) return {};
  // After a failed write or fsync nobody knows what is on the disk: never try again.
  error why(codes::storage_unavailable, s.ToString());
  if (!failed_.exchange(true)) options_.on_fatal(why);
  return why;
}

result<std::optional<session_head>> rocksdb_event_log::head_before(const session_key& key,
                                                                   const head_overlay& now) {
  if (const auto at = now.find(key); at != now.end()) return at->second;
  if (const auto at = heads_.find(key); at != heads_.end()) return std::optional(at->second);
  auto stored = head(key);
  if (stored) return std::optional(std::move(*stored));
  if (stored.error().code == codes::session_not_found) return std::optional<session_head>();
  return stored.error();
}

void rocksdb_event_log::add_removal(rocksdb::WriteBatch& batch, const append_op& op,
                                    const session_head* before) {
  const auto prefix = session_prefix(op.key);
  batch.DeleteRange(families_[events], prefix, after_prefix(prefix));
  batch.Delete(families_[sessions], prefix);
  batch.Delete(families_[busy], prefix);
  if (before)
    batch.Delete(families_[recency], recency_key(op.key, before->info.updated_at_ms));
}

void rocksdb_event_log::add_index_rows(rocksdb::WriteBatch& batch, const append_op& op,
                                       const session_head* before, const session_head& after) {
  const auto prefix = session_prefix(op.key);
  if (!before || before->info.updated_at_ms != after.info.updated_at_ms) {
    if (before)
      batch.Delete(families_[recency], recency_key(op.key, before->info.updated_at_ms));
    batch.Put(families_[recency], recency_key(op.key, after.info.updated_at_ms), {});
  }
  const bool was_busy = before && before->info.busy;
  if (after.info.busy && !was_busy) batch.Put(families_[busy], prefix, {});
  if (!after.info.busy && was_busy) batch.Delete(families_[busy], prefix);
}

result<session_head> rocksdb_event_log::add(rocksdb::WriteBatch& batch, const append_op& op,
                                            head_overlay& now) {
  auto found = head_before(op.key, now);
  if (!found) return found.error();
  const session_head* before = *found ? &**found : nullptr;
  session_head staged;
  const session_head* base = before;
  if (op.publish_staged && !before) {
    auto marker = get(staging, session_prefix(op.key));
    if (!marker) return marker.error();
    if (!*marker) return error(codes::session_not_found, "nothing is staged for this session");
    staged.seq = get_number(**marker);
    staged.epochs.push_back({epoch_, 1});
    base = &staged;
  }
  auto after = next_head(base, op, epoch_, options_.event_bytes_max);
  if (!after) return after.error();

  const auto prefix = session_prefix(op.key);
  for (const auto& e : op.events)
    batch.Put(families_[events], event_key(op.key, e.seq), event_value(e.type, epoch_, e.json));
  for (const auto& record : op.idempotency)
    batch.Put(families_[idempotency], record.key, encode_record(record));
  for (const auto& row : op.outbox) {
    std::string key;
    put_number(key, next_outbox_++, 8);
    batch.Put(families_[outbox], key, row.sink + '\0' + row.payload);
  }
  if (op.publish_staged) batch.Delete(families_[staging], prefix);
  if (op.remove) {
    add_removal(batch, op, before);
    now[op.key] = std::nullopt;
    return after;
  }
  if (op.first_seq)
    batch.DeleteRange(families_[events], prefix, event_key(op.key, *op.first_seq));
  add_index_rows(batch, op, before, *after);
  batch.Put(families_[sessions], prefix, encode_head(*after));
  now[op.key] = *after;
  return after;
}

std::vector<result<std::uint64_t>> rocksdb_event_log::commit(std::span<const append_op> ops) {
  std::vector<result<std::uint64_t>> results;
  results.reserve(ops.size());
  if (const auto full = disk_refuses()) {
    results.assign(ops.size(), *full);
    return results;
  }
  rocksdb::WriteBatch batch;
  head_overlay now;
  std::uint64_t added = 0, rows = 0;
  for (const auto& op : ops) {
    // A refused op must leave nothing in the batch: checks come before the first Put of `add`.
    auto head = add(batch, op, now);
    if (!head) {
      results.push_back(head.error());
      continue;
    }
    results.push_back(head->seq);
    added += op.events.size();
    rows += op.outbox.size();
  }
  if (batch.Count() == 0) return results;
  const auto begin = std::chrono::steady_clock::now();
  const auto written = write(batch, sync_);
  if (!written) {
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
  bytes_ += batch.GetDataSize();
  if (heads_.size() + now.size() > cached_heads_max) heads_.clear();
  for (auto& [key, head] : now) {
    if (head)
      heads_[key] = std::move(*head);
    else
      heads_.erase(key);
  }
  return results;
}

result<void> rocksdb_event_log::stage(const session_key& key, std::span<const encoded_event> staged) {
  if (staged.empty()) return {};
  if (const auto full = disk_refuses()) return *full;
  if (head(key)) return error(codes::session_busy, "the session exists already");
  rocksdb::WriteBatch batch;
  for (const auto& e : staged) {
    if (e.json.size() > options_.event_bytes_max)
      return error(codes::event_too_large, "the event is larger than the log takes");
    batch.Put(families_[events], event_key(key, e.seq), event_value(e.type, epoch_, e.json));
  }
  std::string last;
  put_number(last, staged.back().seq, 8);
  batch.Put(families_[staging], session_prefix(key), last);
  return write(batch, {});
}

result<void> rocksdb_event_log::discard_staged(const session_key& key) {
  const auto prefix = session_prefix(key);
  auto marker = get(staging, prefix);
  if (!marker) return marker.error();
  if (!*marker) return {};
  rocksdb::WriteBatch batch;
  batch.DeleteRange(families_[events], prefix, after_prefix(prefix));
  batch.Delete(families_[staging], prefix);
  return write(batch, {});
}

// ---- reading ----

result<std::optional<std::string>> rocksdb_event_log::get(family f, std::string_view key) const {
  std::string value;
  const auto s = db_->Get({}, families_[f], slice(key), &value);
  if (s.IsNotFound()) return std::optional<std::string>();
  if (!s.ok()) return error_of(s);
  return std::optional(std::move(value));
}

result<session_head> rocksdb_event_log::head(const session_key& key) const {
  auto bytes = get(sessions, session_prefix(key));
  if (!bytes) return bytes.error();
  if (!*bytes) return not_found();
  auto head = decode_head(**bytes);
  if (!head) return error(codes::storage_corrupt, "a session's head cannot be read");
  return std::move(*head);
}

result<event_page> rocksdb_event_log::read(const session_key& key,
                                           const read_options& options) const {
  auto marks = head(key);
  if (!marks) return marks.error();
  event_page page;
  page.scanned_seq = options.after_seq;
  page.end = true;
  if (options.after_seq >= options.before_seq) return page;
  const auto lower = event_key(key, options.after_seq + 1);
  const auto upper = options.before_seq == UINT64_MAX ? after_prefix(session_prefix(key))
                                                      : event_key(key, options.before_seq);
  const rocksdb::Slice lower_bound(lower), upper_bound(upper);
  rocksdb::ReadOptions how;
  how.iterate_lower_bound = &lower_bound;
  how.iterate_upper_bound = &upper_bound;
  how.readahead_size = options.backwards ? 0 : 256u << 10;
  const iterator it(db_->NewIterator(how, families_[events]));
  std::size_t bytes = 0;
  page.events.reserve(std::min<std::size_t>(options.events_max, 256));
  for (options.backwards ? it->SeekToLast() : it->SeekToFirst(); it->Valid();
       options.backwards ? it->Prev() : it->Next()) {
    if (page.events.size() >= options.events_max || bytes >= options.bytes_max) {
      page.end = false;
      break;
    }
    const auto seq = seq_of(view(it->key()));
    const auto value = parse_event_value(view(it->value()));
    if (!value)
      return error(codes::storage_corrupt, "event " + std::to_string(seq) + " cannot be read");
    page.scanned_seq = seq;
    if (!shows(options, *marks, value->type, seq)) continue;
    bytes += value->json.size();
    page.events.push_back({{value->epoch, seq}, value->type, std::string(value->json)});
  }
  if (!it->status().ok()) return error_of(it->status());
  return page;
}

result<session_list_page> rocksdb_event_log::list(const tenant_id& tenant,
                                                  const session_list_options& options) const {
  const auto prefix = tenant_prefix(tenant);
  const auto upper = after_prefix(prefix);
  const rocksdb::Slice upper_bound(upper);
  rocksdb::ReadOptions how;
  how.iterate_upper_bound = &upper_bound;
  const iterator it(db_->NewIterator(how, families_[recency]));
  session_list_page page;
  // A cursor is the last shown row's own key: time, a dash, session.
  if (const auto dash = options.cursor.find('-'); dash != std::string::npos) {
    const auto updated = std::strtoll(options.cursor.c_str(), nullptr, 10);
    const session_id last(options.cursor.substr(dash + 1));
    const auto from = recency_key({tenant, last}, updated);
    it->Seek(from);
    if (it->Valid() && view(it->key()) == from) it->Next();
  } else {
    it->Seek(prefix);
  }
  for (; it->Valid(); it->Next()) {
    const session_id session(std::string(view(it->key()).substr(prefix.size() + 8)));
    auto found = head({tenant, session});
    if (!found) {
      // Deleted between the index row and its head.
      if (found.error().code == codes::session_not_found) continue;
      return found.error();
    }
    if (!title_contains(found->info.title, options.query)) continue;
    if (page.sessions.size() == options.limit) {
      const auto& last = page.sessions.back();
      page.next_cursor =
          std::to_string(last.head.info.updated_at_ms) + "-" + last.session.value;
      break;
    }
    page.sessions.push_back({session, std::move(*found)});
  }
  if (!it->status().ok()) return error_of(it->status());
  return page;
}

result<std::vector<session_key>> rocksdb_event_log::busy_sessions() const {
  std::vector<session_key> found;
  const iterator it(db_->NewIterator({}, families_[busy]));
  for (it->SeekToFirst(); it->Valid(); it->Next())
    if (auto key = parse_session_prefix(view(it->key()))) found.push_back(std::move(*key));
  if (!it->status().ok()) return error_of(it->status());
  return found;
}

result<std::vector<tenant_id>> rocksdb_event_log::tenants() const {
  std::vector<tenant_id> found;
  const iterator it(db_->NewIterator({}, families_[sessions]));
  for (it->SeekToFirst(); it->Valid();) {
    const auto key = view(it->key());
    found.emplace_back(std::string(key.substr(0, key.find('\0'))));
    it->Seek(after_prefix(tenant_prefix(found.back())));
  }
  if (!it->status().ok()) return error_of(it->status());
  return found;
}

result<std::optional<idempotency_record>> rocksdb_event_log::find_idempotency(
    std::string_view key) const {
  auto bytes = get(idempotency, key);
  if (!bytes) return bytes.error();
  if (!*bytes) return std::optional<idempotency_record>();
  auto record = decode_record(key, **bytes);
  if (!record) return error(codes::storage_corrupt, "an idempotency record cannot be read");
  return record;
}

result<std::size_t> rocksdb_event_log::expire_idempotency(std::int64_t before_ms) {
  rocksdb::WriteBatch batch;
  const iterator it(db_->NewIterator({}, families_[idempotency]));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const auto record = decode_record(view(it->key()), view(it->value()));
    if (!record || record->created_at_ms < before_ms) batch.Delete(families_[idempotency], it->key());
  }
  if (!it->status().ok()) return error_of(it->status());
  const std::size_t count = batch.Count();
  if (count > 0)
    if (auto ok = write(batch, {}); !ok) return ok.error();
  return count;
}

result<void> rocksdb_event_log::put_idempotency(const idempotency_record& record) {
  rocksdb::WriteBatch batch;
  batch.Put(families_[idempotency], record.key, encode_record(record));
  return write(batch, sync_);
}

// ---- documents, backup ----

result<std::optional<std::string>> rocksdb_event_log::get_document(std::string_view collection,
                                                                   std::string_view key) const {
  return get(documents, document_key(collection, key));
}

result<void> rocksdb_event_log::put_document(std::string_view collection, std::string_view key,
                                             std::string_view value) {
  if (const auto full = disk_refuses()) return *full;
  rocksdb::WriteBatch batch;
  batch.Put(families_[documents], document_key(collection, key), slice(value));
  return write(batch, sync_);
}

result<void> rocksdb_event_log::delete_document(std::string_view collection, std::string_view key) {
  rocksdb::WriteBatch batch;
  batch.Delete(families_[documents], document_key(collection, key));
  return write(batch, sync_);
}

result<std::vector<std::pair<std::string, std::string>>> rocksdb_event_log::list_documents(
    std::string_view collection, std::string_view prefix, std::size_t limit) const {
  std::vector<std::pair<std::string, std::string>> found;
  const auto from = document_key(collection, prefix);
  const iterator it(db_->NewIterator({}, families_[documents]));
  for (it->Seek(from); it->Valid() && it->key().starts_with(from) && found.size() < limit; it->Next())
    found.emplace_back(std::string(view(it->key()).substr(collection.size() + 1)),
                       it->value().ToString());
  if (!it->status().ok()) return error_of(it->status());
  return found;
}

result<void> rocksdb_event_log::checkpoint(const std::string& folder) const {
  std::error_code ec;
  std::filesystem::create_directories(folder, ec);
  rocksdb::Checkpoint* made = nullptr;
  auto s = rocksdb::Checkpoint::Create(db_.get(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> owned(made);
  if (s.ok()) s = owned->CreateCheckpoint(folder + "/store");
  if (!s.ok()) return error_of(s);
  return {};
}

event_log::counters rocksdb_event_log::stats() const {
  return {events_, batches_, bytes_, outbox_rows_, sync_us_};
}

}  // namespace

result<std::unique_ptr<event_log>> open_rocksdb_event_log_on(const store_options& options,
                                                             rocksdb::Env* env) {
  auto log = std::make_unique<rocksdb_event_log>(options, env);
  if (auto opened = log->open(); !opened) return opened.error();
  return std::unique_ptr<event_log>(std::move(log));
}

result<std::unique_ptr<event_log>> open_rocksdb_event_log(const store_options& options) {
  return open_rocksdb_event_log_on(options, rocksdb::Env::Default());
}

}  // namespace soma::storage
