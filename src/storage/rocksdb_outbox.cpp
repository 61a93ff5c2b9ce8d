// The outbox: rows with their number as key, the sink before a zero byte in the value.
#include "storage/rocksdb_event_log.hpp"

namespace soma::storage {
namespace {

constexpr std::size_t looked_at_a_row = 8;  // of other sinks

std::string outbox_key(std::uint64_t number) {
  std::string key;
  put_number(key, number, 8);
  return key;
}

struct sink_and_payload {
  std::string_view sink, payload;
};
std::optional<sink_and_payload> parse_outbox(std::string_view value) {
  const auto end = value.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  return sink_and_payload{value.substr(0, end), value.substr(end + 1)};
}

}  // namespace

void rocksdb_event_log::add_outbox(rocksdb::WriteBatch& batch,
                                   const std::vector<outbox_row>& rows) {
  for (const auto& row : rows)
    batch.Put(families_[outbox], outbox_key(next_outbox_++), row.sink + '\0' + row.payload);
}

void rocksdb_event_log::tell_outbox(std::size_t rows) {
  if (rows > 0 && outbox_told_) outbox_told_(next_outbox_ - 1);
}

result<outbox_page> rocksdb_event_log::read_outbox(std::string_view sink, std::uint64_t after,
                                                   std::size_t rows_max) const {
  const std::shared_lock open(open_mutex_);
  outbox_page page;
  page.scanned = after;
  std::size_t looked_at = 0;
  const iterator it(db_->NewIterator({}, families_[outbox]));
  for (it->Seek(outbox_key(after + 1)); it->Valid(); it->Next()) {
    if (page.rows.size() == rows_max || looked_at++ == looked_at_a_row * rows_max) return page;
    const auto row = parse_outbox(view(it->value()));
    if (!row || it->key().size() != 8)
      return error(codes::storage_corrupt, "a row of the outbox cannot be read");
    page.scanned = get_number(view(it->key()));
    if (row->sink == sink) page.rows.push_back({page.scanned, std::string(row->payload)});
  }
  if (!it->status().ok()) return error_of(it->status());
  page.end = true;
  return page;
}

result<void> rocksdb_event_log::delete_outbox(std::string_view sink,
                                              const std::vector<std::uint64_t>& numbers) {
  if (numbers.empty()) return {};
  const std::lock_guard lock(write_mutex_);
  if (const auto ready = ready_to_write(room::for_deleting); !ready) return ready;
  rocksdb::WriteBatch batch;
  for (const auto number : numbers) {
    const auto key = outbox_key(number);
    const auto value = get(outbox, key);
    if (!value) return value.error();
    if (!*value) continue;
    if (const auto row = parse_outbox(**value); row && row->sink == sink)
      batch.Delete(families_[outbox], key);
  }
  return batch.Count() == 0 ? result<void>() : write(batch, {}, room::for_deleting);
}

result<bool> rocksdb_event_log::write_rows(const row_batch& rows) {
  const std::lock_guard lock(write_mutex_);
  const auto what = rows.deleted.empty() ? room::any : room::for_deleting;
  if (const auto ready = ready_to_write(what); !ready) return ready.error();
  if (rows.deleted.empty())
    if (const auto full = disk_refuses()) return *full;
  for (const auto& [collection, key, value] : rows.expected) {
    const auto there = get(documents, document_key(collection, key));
    if (!there) return there.error();
    if (!*there || (value && **there != *value)) return false;
  }
  if (auto refused = refuses_records(rows.idempotency, {})) return *refused;
  rocksdb::WriteBatch batch;
  for (const auto& record : rows.idempotency) add_record(batch, record);
  for (const auto& [collection, key] : rows.deleted)
    batch.Delete(families_[documents], document_key(collection, key));
  for (const auto& d : rows.documents)
    batch.Put(families_[documents], document_key(d.collection, d.key), d.value);
  add_outbox(batch, rows.outbox);
  if (batch.Count() == 0) return true;
  if (const auto written = write(batch, sync_, what); !written) return written.error();
  outbox_rows_ += rows.outbox.size();
  if (!rows.deleted.empty()) note_deleted_documents();
  tell_outbox(rows.outbox.size());
  return true;
}

void rocksdb_event_log::on_outbox(std::function<void(std::uint64_t)> told) {
  const std::lock_guard lock(write_mutex_);
  outbox_told_ = std::move(told);
}

}  // namespace soma::storage
