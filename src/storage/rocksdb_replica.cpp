// What a store writes that follows logs kept elsewhere: nothing is decided here.
#include <limits>

#include "storage/rocksdb_event_log.hpp"

namespace soma::storage {

result<void> rocksdb_event_log::end_stages(rocksdb::WriteBatch& batch, const judged_write& what) {
  if (!what.ends_stages) return {};
  iterator it(db_->NewIterator({}, families_[staging]));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const auto prefix = it->key().ToString();
    const auto key = parse_session_prefix(prefix);
    if (!key || !what.ends_stages(*key)) continue;
    batch.DeleteRange(families_[events], prefix, after_prefix(prefix));
    batch.Delete(families_[staging], prefix);
  }
  return it->status().ok() ? result<void>() : result<void>(error_of(it->status()));
}

result<std::uint64_t> rocksdb_event_log::add_judged(rocksdb::WriteBatch& batch,
                                                    const judged_write& what, batch_state& state) {
  if (auto ended = end_stages(batch, what); !ended) return ended.error();
  std::uint64_t seq = 0;
  if (what.append) {
    const judging as_said{what.epoch, std::numeric_limits<std::size_t>::max(), true};
    auto head = add(batch, *what.append, state, as_said);
    if (!head) return head.error();
    seq = head->seq;
  }
  if (what.staged && !what.staged->events.empty()) {
    const auto& [key, staged] = *what.staged;
    const auto head = head_before(key, {});
    if (!head) return head.error();
    if (*head) return error(codes::session_busy, "the session exists already");
    const auto marker = get(staging, session_prefix(key));
    if (!marker) return marker.error();
    if (staged.front().seq != (*marker ? get_number(**marker) : 0) + 1)
      return error(codes::session_not_found, "what was staged before it is gone");
    for (const auto& e : staged)
      batch.Put(families_[events], event_key(key, e.seq), event_value(e.type, what.epoch, e.json));
    std::string last;
    put_number(last, staged.back().seq, 8);
    batch.Put(families_[staging], session_prefix(key), last);
  }
  if (what.discarded) {
    const auto prefix = session_prefix(*what.discarded);
    auto marker = get(staging, prefix);
    if (!marker) return marker.error();
    if (*marker) {
      batch.DeleteRange(families_[events], prefix, after_prefix(prefix));
      batch.Delete(families_[staging], prefix);
    }
  }
  for (const auto& record : what.idempotency) add_record(batch, record);
  for (const auto& g : what.gone) {
    const auto prefix = document_key(g.collection, g.prefix);
    batch.DeleteRange(families_[documents], prefix, after_prefix(prefix));
  }
  for (const auto& d : what.documents) {
    const auto key = document_key(d.collection, d.key);
    if (d.value)
      batch.Put(families_[documents], key, *d.value);
    else
      batch.Delete(families_[documents], key);
  }
  add_outbox(batch, what.outbox);
  for (const auto& [key, value] : what.rows) {
    const auto at = std::string(replica_prefix) + key;
    if (value)
      batch.Put(families_[meta], at, *value);
    else
      batch.Delete(families_[meta], at);
  }
  return seq;
}

result<std::uint64_t> rocksdb_event_log::apply(const judged_write& what) {
  const std::lock_guard lock(write_mutex_);
  if (const auto ready = ready_to_write(room::for_deleting); !ready) return ready.error();
  rocksdb::WriteBatch batch;
  batch_state state;
  const auto row_before = next_outbox_;
  auto done = add_judged(batch, what, state);
  if (!done) {
    next_outbox_ = row_before;
    if (done.error().code.starts_with("storage.")) return done;
    batch.Clear();
    state = {};
    if (auto ended = end_stages(batch, what); !ended) return ended.error();
  }
  batch.Put(families_[meta], std::string(replica_prefix) + what.place.first, what.place.second);
  const auto bytes = batch.GetDataSize();
  if (const auto written = write(batch, {}, room::for_deleting); !written) {
    next_outbox_ = row_before;
    return written.error();
  }
  ++batches_;
  bytes_ += bytes;
  if (!done) return done;
  const auto rows = static_cast<std::size_t>(next_outbox_ - row_before);
  outbox_rows_ += rows;
  tell_outbox(rows);
  if (what.staged) note_added(what.staged->key, what.staged->events);
  if (what.discarded) note_deleted(*what.discarded);
  if (what.append) {
    const auto& op = *what.append;
    events_ += op.events.size();
    note_added(op.key, op.events);
    if (op.remove || op.first_seq) note_deleted(op.key);
    if (!op.gone.empty()) note_deleted_documents();
  }
  if (!what.gone.empty()) note_deleted_documents();
  keep_heads(std::move(state.heads));
  return done;
}

result<std::optional<std::uint64_t>> rocksdb_event_log::head_seq(const session_key& key) {
  const std::lock_guard lock(write_mutex_);
  const auto found = head_before(key, {});
  if (!found) return found.error();
  return *found ? std::optional((*found)->seq) : std::nullopt;
}

result<std::optional<std::uint64_t>> rocksdb_event_log::staged_seq(const session_key& key) const {
  const std::shared_lock open(open_mutex_);
  const auto marker = get(staging, session_prefix(key));
  if (!marker) return marker.error();
  return *marker ? std::optional(get_number(**marker)) : std::nullopt;
}

result<std::optional<std::string>> rocksdb_event_log::row(std::string_view key) const {
  const std::shared_lock open(open_mutex_);
  return get(meta, std::string(replica_prefix).append(key));
}

result<std::vector<std::pair<std::string, std::string>>> rocksdb_event_log::rows(
    std::string_view prefix, std::size_t limit, std::string_view after) const {
  const std::shared_lock open(open_mutex_);
  std::vector<std::pair<std::string, std::string>> found;
  const auto from = std::string(replica_prefix).append(prefix);
  const iterator it(db_->NewIterator({}, families_[meta]));
  it->Seek(after.empty() ? from : std::string(replica_prefix).append(after).append(1, '\0'));
  for (; it->Valid() && found.size() < limit; it->Next()) {
    if (!it->key().starts_with(from)) break;
    found.emplace_back(view(it->key()).substr(replica_prefix.size()), it->value().ToString());
  }
  if (!it->status().ok()) return error_of(it->status());
  return found;
}

}  // namespace soma::storage
