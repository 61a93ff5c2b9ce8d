#include "storage/store_rebuild.hpp"

#include <fcntl.h>
#include <stdio.h>  // renameat2
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>

#include "storage/attachment_rows.hpp"
#include "storage/rocksdb_event_log.hpp"
#include "storage/store_files.hpp"
#include "storage/store_log.hpp"

namespace soma::storage {

namespace fs = std::filesystem;

// Both stores are opened as the event log opens them; this one looks at their rows.
class store_rebuild {
 public:
  store_rebuild(const std::string& from, const std::string& to, repair_report& report)
      : old_(options_of(from), seams_of()), new_(options_of(to), seams_of()), report_(report) {}

  result<void> run() {
    old_.log_file_ = make_store_log(store_folder(new_.options_.data_dir));
    if (const auto s = old_.open_database(true); !s.ok())
      return error(codes::storage_corrupt,
                   "the store cannot be read at all: " + s.ToString() + "; restore a backup");
    if (auto ok = new_.open(); !ok) return ok;
    if (auto ok = copy_epoch(); !ok) return ok;
    for (const auto f : {documents, outbox})
      if (auto whole = copy_rows(f); !whole)
        return error(codes::storage_corrupt, std::string("rows of '") + family_names[f] +
                                                 "' are damaged, without which nothing is right: " +
                                                 whole.error().detail + "; restore a backup");
    for (const auto f : {idempotency, idempotency_age})
      if (auto whole = copy_rows(f); !whole)
        report_.also_lost.push_back(
            "records of answered requests (a request that is sent again may be done again): " +
            whole.error().detail);
    if (auto ok = copy_sessions(); !ok) return ok;
    if (auto ok = write(true); !ok) return ok;
    const auto s = new_.db_->Flush(rocksdb::FlushOptions(), new_.families_);
    return s.ok() ? result<void>() : error_of(s);
  }

 private:
  static store_options options_of(const std::string& data_dir) {
    store_options options;
    options.data_dir = data_dir;
    options.min_free_bytes = 0;
    options.on_fatal = [](const error&) {};
    return options;
  }
  static store_seams seams_of() {
    store_seams seams;
    seams.env = rocksdb::Env::Default();
    seams.reclaim_after = std::chrono::hours(24);
    return seams;
  }

  result<void> write(bool all = false) {
    constexpr std::size_t batch_bytes = 4u << 20;
    if (batch_.Count() == 0 || (!all && batch_.GetDataSize() < batch_bytes)) return {};
    const auto s = new_.db_->Write({}, &batch_);
    batch_.Clear();
    return s.ok() ? result<void>() : error_of(s);
  }
  void put(family f, const rocksdb::Slice& key, const rocksdb::Slice& value) {
    batch_.Put(new_.families_[f], key, value);
  }
  rocksdb_event_log::iterator rows_of(family f, const rocksdb::ReadOptions& how = {}) const {
    return rocksdb_event_log::iterator(old_.db_->NewIterator(how, old_.families_[f]));
  }

  // No id may be given twice, so the next opening must not begin below the last one.
  result<void> copy_epoch() {
    const auto last = old_.get(meta, "epoch");
    if (!last) return last.error();
    std::string value;
    put_number(value, std::max<std::uint64_t>(*last ? get_number(**last) : 0, new_.epoch_), 8);
    put(meta, "epoch", value);
    return {};
  }

  result<void> copy_rows(family f) {
    const auto it = rows_of(f);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      put(f, it->key(), it->value());
      if (auto ok = write(); !ok) return ok;
    }
    return it->status().ok() ? result<void>() : error_of(it->status());
  }

  // Heads and the order of the list name the sessions: what the one has lost the other may know.
  result<std::set<session_key>> sessions_known() const {
    std::set<session_key> known;
    const auto heads = rows_of(sessions);
    for (heads->SeekToFirst(); heads->Valid(); heads->Next())
      if (auto key = parse_session_prefix(view(heads->key()))) known.insert(std::move(*key));
    if (heads->status().ok()) return known;
    const auto order = rows_of(recency);
    for (order->SeekToFirst(); order->Valid(); order->Next()) {
      const auto row = view(order->key());
      const auto end = row.find('\0');
      if (end != std::string_view::npos && row.size() > end + 9)
        known.insert({tenant_id(std::string(row.substr(0, end))),
                      session_id(std::string(row.substr(end + 9)))});
    }
    if (!order->status().ok())
      return error(codes::storage_corrupt,
                   "neither the heads of sessions nor their list can be "
                   "read: " +
                       order->status().ToString() + "; restore a backup");
    return known;
  }

  result<void> copy_sessions() {
    const auto known = sessions_known();
    if (!known) return known.error();
    for (const auto& key : *known)
      if (auto ok = copy_session(key); !ok) return ok;
    return {};
  }

  result<void> copy_session(const session_key& key) {
    const auto head = old_.head_as_of({}, key);
    if (!head && head.error().code == codes::session_not_found) return {};
    if (!head) {
      lose(key, 0);
      return {};
    }
    session_head kept = *head;
    std::uint64_t messages = 0;
    const auto last = copy_events(key, *head, messages);
    if (!last) return last.error();
    if (*last < head->seq) {
      if (*last < head->first_seq) {
        lose(key, head->seq - head->first_seq + 1);
        return {};
      }
      report_.sessions.push_back({key, head->seq - *last, {head->epoch_of(*last), *last}});
      kept.seq = *last;
      kept.compact_seq = std::min(kept.compact_seq, *last + 1);
      std::erase_if(kept.epochs, [&](const epoch_start& one) { return one.first_seq > *last; });
      kept.info.message_count = messages;
      kept.info.busy = true;  // looked at by the next start: it may end within a turn
    }
    const auto prefix = session_prefix(key);
    put(sessions, prefix, encode_head(kept));
    put(recency, recency_key(key, kept.info.updated_at_ms), {});
    if (kept.info.busy) put(busy, prefix, {});
    return write();
  }

  // The last seq that was copied: those before the first that cannot be read.
  result<std::uint64_t> copy_events(const session_key& key, const session_head& head,
                                    std::uint64_t& messages) {
    const auto upper = event_key(key, head.seq + 1);
    const rocksdb::Slice upper_bound(upper);
    rocksdb::ReadOptions how;
    how.iterate_upper_bound = &upper_bound;
    how.fill_cache = false;
    const auto it = rows_of(events, how);
    auto next = head.first_seq;
    for (it->Seek(event_key(key, next)); it->Valid(); it->Next(), ++next) {
      const auto value = parse_event_value(view(it->value()));
      if (seq_of(view(it->key())) != next || !value) break;
      messages += value->type == event_type::message_user;
      put(events, it->key(), it->value());
      if (auto ok = write(); !ok) return ok.error();
    }
    return next - 1;
  }

  // The janitor of attachments lets go what it used.
  void lose(const session_key& key, std::uint64_t count) {
    const auto gone = session_gone_row(key);
    put(documents, document_key(gone.collection, gone.key), gone.value);
    report_.sessions.push_back({key, count, {}});
  }

  rocksdb_event_log old_, new_;
  rocksdb::WriteBatch batch_;
  repair_report& report_;
};

namespace {

std::uint64_t bytes_in(const std::string& folder) {
  std::uint64_t bytes = 0;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder, ec))
    if (entry.is_regular_file(ec)) bytes += entry.file_size(ec);
  return bytes;
}

result<void> exchange(const std::string& data_dir, const std::string& folder) {
  const auto now = store_folder(data_dir), fresh = store_folder(folder);
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, now.c_str(), RENAME_EXCHANGE) != 0)
    return error(codes::storage_unavailable, "cannot put " + fresh + " in the place of " + now +
                                                 ": " + std::generic_category().message(errno));
  return {};
}

}  // namespace

result<void> rebuild_store(const std::string& data_dir, const std::string& folder,
                           repair_report& report) {
  std::error_code ec;
  const auto needed = bytes_in(store_folder(data_dir));
  struct statvfs disk {};
  if (::statvfs(data_dir.c_str(), &disk) == 0 &&
      static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize < needed)
    return error(codes::storage_full, "the repair writes the store anew and needs " +
                                          std::to_string((needed >> 20) + 1) + " MiB of space");
  fs::create_directories(store_folder(folder), ec);
  auto done = ec ? result<void>(error(codes::storage_unavailable,
                                      "cannot make " + folder + ": " + ec.message()))
                 : store_rebuild(data_dir, folder, report).run();
  if (done) done = exchange(data_dir, folder);
  if (!done) {
    fs::remove_all(store_folder(folder), ec);
    fs::remove(folder, ec);  // unless it holds what was taken away before
    return done;
  }
  if (!sync_folder(data_dir) || !sync_folder(folder))
    return error(codes::storage_unavailable, "cannot sync " + data_dir);
  return done;
}

}  // namespace soma::storage
