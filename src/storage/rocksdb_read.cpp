// The reading half of the store, and its copy.
#include <rocksdb/snapshot.h>
#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <filesystem>

#include "storage/rocksdb_event_log.hpp"
#include "storage/store_files.hpp"

namespace soma::storage {
namespace {

constexpr int reads_again_max = 1;

error damaged(const session_key& key, const std::string& what) {
  return {codes::storage_corrupt, "session " + key.session.value + ": " + what};
}

// A log is dense from its first event to its last: an event that is not there was lost on the disk,
// and reading on would hide it.
class expected_seqs {
 public:
  expected_seqs(const session_head& head, const read_options& options)
      : from_(std::max(head.first_seq, options.after_seq + 1)),
        to_(std::min(head.seq + 1, options.before_seq)),
        backwards_(options.backwards) {}

  bool take(std::uint64_t seq) {
    if (all_taken() || seq != next()) return false;
    backwards_ ? --to_ : ++from_;
    return true;
  }
  bool all_taken() const { return from_ >= to_; }
  error missing(const session_key& key) const {
    return damaged(key, all_taken() ? "there are events that its head does not know"
                                    : "event " + std::to_string(next()) + " is missing");
  }

 private:
  std::uint64_t next() const { return backwards_ ? to_ - 1 : from_; }

  std::uint64_t from_, to_;  // still to come: from_ to to_ - 1
  const bool backwards_;
};

}  // namespace

result<std::optional<std::string>> rocksdb_event_log::get(family f, std::string_view key) const {
  std::string value;
  const auto s = db_->Get({}, families_[f], slice(key), &value);
  if (s.IsNotFound()) return std::optional<std::string>();
  if (!s.ok()) return error_of(s);
  return std::optional(std::move(value));
}

result<session_head> rocksdb_event_log::head(const session_key& key) const {
  const std::shared_lock open(open_mutex_);
  auto found = head_as_of({}, key);
  if (!found && found.error().code == codes::storage_corrupt) tell_damage(found.error(), &key);
  return found;
}

result<session_head> rocksdb_event_log::head_as_of(const rocksdb::ReadOptions& how,
                                                   const session_key& key) const {
  std::string bytes;
  const auto s = db_->Get(how, families_[sessions], session_prefix(key), &bytes);
  if (s.IsNotFound()) return error(codes::session_not_found, "there is no such session");
  if (!s.ok()) return failed_read(key, s);
  auto head = decode_head(bytes);
  if (!head) return damaged(key, "its head cannot be read");
  return std::move(*head);
}

// A damaged table holds the rows of many: who asks must hear whose these were.
error rocksdb_event_log::failed_read(const session_key& key, const rocksdb::Status& s) const {
  return s.IsCorruption() ? damaged(key, s.ToString()) : error_of(s);
}

result<event_page> rocksdb_event_log::read(const session_key& key,
                                           const read_options& options) const {
  const std::shared_lock open(open_mutex_);
  auto page = read_as_of_now(key, options);
  // The tables of what is deleted meanwhile go whatever a reader still looks at.
  for (int n = 0; n < reads_again_max && !page && page.error().code == codes::storage_corrupt; ++n)
    page = read_as_of_now(key, options);
  if (!page && page.error().code == codes::storage_corrupt) tell_damage(page.error(), &key);
  return page;
}

result<event_page> rocksdb_event_log::read_as_of_now(const session_key& key,
                                                     const read_options& options) const {
  // Head and events as of one moment: then the head says which events must be there.
  rocksdb::ManagedSnapshot moment(db_.get());
  rocksdb::ReadOptions how;
  how.snapshot = moment.snapshot();
  auto marks = head_as_of(how, key);
  if (!marks) return marks.error();
  event_page page;
  page.scanned_seq = options.after_seq;
  page.end = true;
  if (options.after_seq >= options.before_seq) return page;
  const auto lower = event_key(key, options.after_seq + 1);
  const auto upper = options.before_seq == UINT64_MAX ? after_prefix(session_prefix(key))
                                                      : event_key(key, options.before_seq);
  const rocksdb::Slice lower_bound(lower), upper_bound(upper);
  how.iterate_lower_bound = &lower_bound;
  how.iterate_upper_bound = &upper_bound;
  how.readahead_size = options.backwards ? 0 : 256u << 10;
  const iterator it(db_->NewIterator(how, families_[events]));
  expected_seqs expected(*marks, options);
  std::size_t bytes = 0;
  page.events.reserve(std::min<std::size_t>(options.events_max, 256));
  for (options.backwards ? it->SeekToLast() : it->SeekToFirst(); it->Valid();
       options.backwards ? it->Prev() : it->Next()) {
    if (page.events.size() >= options.events_max || bytes >= options.bytes_max) {
      page.end = false;
      return page;
    }
    const auto seq = seq_of(view(it->key()));
    if (!expected.take(seq)) return expected.missing(key);
    const auto value = parse_event_value(view(it->value()));
    if (!value) return damaged(key, "event " + std::to_string(seq) + " cannot be read");
    page.scanned_seq = seq;
    if (!shows(options, *marks, value->type, seq)) continue;
    bytes += value->json.size();
    page.events.push_back({{value->epoch, seq}, value->type, readable(value->json)});
  }
  if (!it->status().ok()) return failed_read(key, it->status());
  if (!expected.all_taken()) return expected.missing(key);
  return page;
}

result<std::optional<std::string>> rocksdb_event_log::snapshot(const session_key& key) const {
  const std::shared_lock open(open_mutex_);
  rocksdb::ReadOptions how;
  how.fill_cache = false;  // large, and read once until the session comes back
  std::string bytes;
  const auto s = db_->Get(how, families_[snapshots], session_prefix(key), &bytes);
  if (s.IsNotFound()) return std::optional<std::string>();
  if (!s.ok()) return failed_read(key, s);
  return std::optional(std::move(bytes));
}

result<session_list_page> rocksdb_event_log::list(const tenant_id& tenant,
                                                  const session_list_options& options) const {
  const std::shared_lock open(open_mutex_);
  const auto prefix = tenant_prefix(tenant);
  auto from = prefix;
  if (!options.cursor.empty()) {
    const auto place = parse_list_cursor(options.cursor);
    if (!place) return bad_cursor();
    from = recency_key({tenant, place->session}, place->updated_at_ms) + '\0';  // behind that row
  }
  if (options.limit == 0) return session_list_page();
  // Order and heads as of one moment: else a row that moves meanwhile would turn the cursor back.
  rocksdb::ManagedSnapshot moment(db_.get());
  const auto upper = after_prefix(prefix);
  const rocksdb::Slice upper_bound(upper);
  rocksdb::ReadOptions how;
  how.snapshot = moment.snapshot();
  how.iterate_upper_bound = &upper_bound;
  list_page_maker page(options);
  const iterator it(db_->NewIterator(how, families_[recency]));
  for (it->Seek(from); it->Valid(); it->Next()) {
    const session_id session(std::string(view(it->key()).substr(prefix.size() + 8)));
    auto found = head_as_of(how, {tenant, session});
    if (!found && found.error().code == codes::session_not_found)
      return damaged({tenant, session}, "listed, but its head is missing");
    if (!found) return found.error();
    if (!page.take({session, std::move(*found)})) break;
  }
  if (!it->status().ok()) return error_of(it->status());
  return std::move(page).page();
}

result<std::vector<session_key>> rocksdb_event_log::busy_sessions() const {
  const std::shared_lock open(open_mutex_);
  std::vector<session_key> found;
  const iterator it(db_->NewIterator({}, families_[busy]));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    auto key = parse_session_prefix(view(it->key()));
    if (!key) return error(codes::storage_corrupt, "a busy session's key cannot be read");
    found.push_back(std::move(*key));
  }
  if (!it->status().ok()) return error_of(it->status());
  return found;
}

result<std::vector<tenant_id>> rocksdb_event_log::tenants() const {
  const std::shared_lock open(open_mutex_);
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
  const std::shared_lock open(open_mutex_);
  return record_of(key);
}

result<std::optional<idempotency_record>> rocksdb_event_log::record_of(std::string_view key) const {
  auto bytes = get(idempotency, key);
  if (!bytes) return bytes.error();
  if (!*bytes) return std::optional<idempotency_record>();
  auto record = decode_record(key, **bytes);
  if (!record) return error(codes::storage_corrupt, "an idempotency record cannot be read");
  return record;
}

result<std::optional<std::string>> rocksdb_event_log::get_document(std::string_view collection,
                                                                   std::string_view key) const {
  const std::shared_lock open(open_mutex_);
  return get(documents, document_key(collection, key));
}

result<std::vector<std::pair<std::string, std::string>>> rocksdb_event_log::list_documents(
    std::string_view collection, std::string_view prefix, std::size_t limit,
    std::string_view after) const {
  const std::shared_lock open(open_mutex_);
  std::vector<std::pair<std::string, std::string>> found;
  const auto from = document_key(collection, prefix);
  const auto behind = document_key(collection, after) + '\0';
  const iterator it(db_->NewIterator({}, families_[documents]));
  for (it->Seek(after.empty() ? from : std::max(from, behind));
       it->Valid() && it->key().starts_with(from) && found.size() < limit; it->Next())
    found.emplace_back(std::string(view(it->key()).substr(collection.size() + 1)),
                       it->value().ToString());
  if (!it->status().ok()) return error_of(it->status());
  return found;
}

result<void> rocksdb_event_log::checkpoint(const std::string& folder) const {
  const std::shared_lock open(open_mutex_);
  std::error_code ec;
  if (!std::filesystem::create_directories(folder, ec) && !ec)
    return error(codes::storage_unavailable, "there is a " + folder + " already");
  if (ec) return error(codes::storage_unavailable, "cannot make " + folder + ": " + ec.message());
  rocksdb::Checkpoint* made = nullptr;
  auto s = rocksdb::Checkpoint::Create(db_.get(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> owned(made);
  // The write-ahead logs are copied: a flush for it would not be one of all families together.
  constexpr std::uint64_t never_flush = UINT64_MAX;
  if (s.ok()) s = owned->CreateCheckpoint(store_folder(folder), never_flush);
  if (!s.ok() || !sync_folder(folder)) {
    std::filesystem::remove_all(folder, ec);  // half a copy is none
    return s.ok() ? error(codes::storage_unavailable, "cannot sync " + folder) : error_of(s);
  }
  return {};
}

event_log::counters rocksdb_event_log::stats() const {
  return {events_, batches_, bytes_, outbox_rows_, sync_us_};
}

}  // namespace soma::storage
