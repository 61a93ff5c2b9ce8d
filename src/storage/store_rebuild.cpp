#include "storage/store_rebuild.hpp"

#include <fcntl.h>
#include <stdio.h>  // renameat2
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <system_error>

#include "core/session_state.hpp"
#include "storage/attachment_rows.hpp"
#include "storage/head_rules.hpp"
#include "storage/rocksdb_event_log.hpp"
#include "storage/store_files.hpp"
#include "storage/store_log.hpp"

namespace soma::storage {

namespace fs = std::filesystem;

// Both stores are opened as the event log opens them; this one looks at their rows.
class store_rebuild {
 public:
  store_rebuild(const std::string& from, const std::string& to,
                const std::vector<damaged_table>& damaged, sealed_values* sealed,
                repair_report& report)
      : from_(from), to_(to), damaged_(damaged), sealed_(sealed), report_(report) {}

  result<void> run() {
    if (auto ok = leave_tables_out(); !ok) return ok;
    rocksdb_event_log old(options_of(from_), seams_of(env_.get(), true));
    rocksdb_event_log fresh(options_of(to_), seams_of(rocksdb::Env::Default(), false));
    old_ = &old;
    new_ = &fresh;
    return copy();
  }

 private:
  result<void> leave_tables_out() {
    std::map<std::string, std::string> stand_ins;
    for (const auto& one : damaged_) {
      if (one.opens) continue;
      auto bytes = stand_in_for(one.table);
      if (!bytes) return bytes.error();
      stand_ins.emplace(one.table.name, std::move(*bytes));
    }
    env_ = env_with_stand_ins(std::move(stand_ins));
    return {};
  }

  // The damage of a table that is left out and may have held that row; null: there is none.
  const damaged_table* in_doubt(family f, std::optional<std::string_view> key = {}) const {
    for (const auto& one : damaged_)
      if (!one.opens && one.table.family == family_names[f] &&
          (!key || (*key >= one.table.smallest && *key <= one.table.largest)))
        return &one;
    return nullptr;
  }

  result<void> copy() {
    old_->log_file_ = make_store_log(store_folder(to_));
    if (const auto s = old_->open_database(true); !s.ok())
      return error(codes::storage_corrupt,
                   "the store cannot be read at all: " + s.ToString() + "; restore a backup");
    if (auto ok = new_->open(); !ok) return ok;
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
    // No snapshots: they may say more than what is left of a log, which tells as much by itself.
    if (auto ok = copy_sessions(); !ok) return ok;
    if (auto ok = copy_epoch(); !ok) return ok;
    if (auto ok = write(true); !ok) return ok;
    const auto s = new_->db_->Flush(rocksdb::FlushOptions(), new_->families_);
    return s.ok() ? result<void>() : error_of(s);
  }

  static store_options options_of(const std::string& data_dir) {
    store_options options;
    options.data_dir = data_dir;
    options.min_free_bytes = 0;
    options.on_fatal = [](const error&) {};
    return options;
  }
  static store_seams seams_of(rocksdb::Env* env, bool salvage) {
    store_seams seams;
    seams.env = env;
    seams.salvage = salvage;
    seams.reclaim_after = std::chrono::hours(24);
    return seams;
  }

  result<void> write(bool all = false) {
    constexpr std::size_t batch_bytes = 4u << 20;
    if (batch_.Count() == 0 || (!all && batch_.GetDataSize() < batch_bytes)) return {};
    const auto s = new_->db_->Write({}, &batch_);
    batch_.Clear();
    return s.ok() ? result<void>() : error_of(s);
  }
  void put(family f, const rocksdb::Slice& key, const rocksdb::Slice& value) {
    batch_.Put(new_->families_[f], key, value);
  }
  rocksdb_event_log::iterator rows_of(family f, const rocksdb::ReadOptions& how = {}) const {
    return rocksdb_event_log::iterator(old_->db_->NewIterator(how, old_->families_[f]));
  }

  // No id may be given twice, so the next opening must not begin below the last one. Where that
  // cannot be read the clock is ahead of it, and the sessions know of some.
  result<void> copy_epoch() {
    const auto last = old_->get(meta, "epoch");
    const auto known = last && *last ? get_number(**last) : 0;
    std::string value;
    put_number(value, std::max<std::uint64_t>({known, new_->epoch_, epoch_seen_}), 8);
    put(meta, "epoch", value);
    return {};
  }

  result<void> copy_rows(family f) {
    const auto it = rows_of(f);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      put(f, it->key(), it->value());
      if (auto ok = write(); !ok) return ok;
    }
    if (!it->status().ok()) return error_of(it->status());
    const auto* lost = in_doubt(f);
    return lost ? result<void>(lost->what) : result<void>();
  }

  // Heads and the order of the list name the sessions: what the one has lost the other may know.
  result<std::set<session_key>> sessions_known() const {
    std::set<session_key> known;
    const auto heads = rows_of(sessions);
    for (heads->SeekToFirst(); heads->Valid(); heads->Next())
      if (auto key = parse_session_prefix(view(heads->key()))) known.insert(std::move(*key));
    if (heads->status().ok() && !in_doubt(sessions)) return known;
    const auto order = rows_of(recency);
    for (order->SeekToFirst(); order->Valid(); order->Next()) {
      const auto row = view(order->key());
      const auto end = row.find('\0');
      if (end != std::string_view::npos && row.size() > end + 9)
        known.insert({tenant_id(std::string(row.substr(0, end))),
                      session_id(std::string(row.substr(end + 9)))});
    }
    const auto all = rows_of(events);
    for (all->SeekToFirst(); all->Valid();) {
      const auto row = view(all->key());
      auto key =
          row.size() < 8 ? std::nullopt : parse_session_prefix(row.substr(0, row.size() - 8));
      if (!key) break;
      all->Seek(after_prefix(session_prefix(*key)));
      known.insert(std::move(*key));
    }
    if (known.empty() && !order->status().ok() && !all->status().ok())
      return error(codes::storage_corrupt,
                   "neither the heads of sessions nor their list nor their events can be read: " +
                       all->status().ToString() + "; restore a backup");
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
    if (!in_doubt(sessions, session_prefix(key))) {
      const auto head = old_->head_as_of({}, key);
      if (head) return copy_session_of(key, *head);
      if (head.error().code == codes::session_not_found) return {};
    }
    auto made = head_of_events(key);
    if (!made && made.error().code != codes::storage_corrupt) return made.error();
    if (!made) {
      lose(key, 0);
      return write();
    }
    if (!*made) return {};
    ++report_.heads_made;
    if (in_doubt(events, event_key(key, (*made)->seq + 1)))
      report_.sessions.push_back({key, 0, (*made)->last_id()});
    return copy_session_of(key, **made);
  }

  // What the state of a session is made of. False: it cannot be read.
  result<bool> open_event(const session_key& key, std::uint64_t seq, event_type type,
                          std::string& json, bool& was_sealed) const {
    if (!sealed_) return true;
    const auto opened = sealed_->open_event(key, seq, type, json);
    if (opened) {
      was_sealed |= *opened;
      return true;
    }
    const auto& code = opened.error().code;
    if (code == codes::storage_corrupt || code == codes::tenant_erased) return false;
    return opened.error();
  }

  // None: there is no such session. Fails by storage.corrupt where there may be one, but nothing of
  // it can be read.
  result<std::optional<session_head>> head_of_events(const session_key& key) const {
    const auto prefix = session_prefix(key);
    if (const auto staged = old_->get(staging, prefix); staged && *staged)
      return std::optional<session_head>();
    session_head head;
    bool was_sealed = false;
    session_state state;
    state.key = key;
    state.turns_bytes_max = kept_turns_bytes_max;
    const auto upper = after_prefix(prefix);
    const rocksdb::Slice upper_bound(upper);
    rocksdb::ReadOptions how;
    how.iterate_upper_bound = &upper_bound;
    how.fill_cache = false;
    const auto it = rows_of(events, how);
    for (it->Seek(prefix); it->Valid(); it->Next()) {
      const auto seq = seq_of(view(it->key()));
      const auto value = parse_event_value(view(it->value()));
      if (!value || (head.seq > 0 && seq != head.seq + 1)) break;
      auto json = readable(value->json);
      const auto open = open_event(key, seq, value->type, json, was_sealed);
      if (!open) return open.error();
      if (*open)
        if (const auto event = decode(json)) apply(state, *event);
      if (head.seq == 0) head.first_seq = seq;
      head.seq = seq;
      if (head.epochs.empty() || head.epochs.back().epoch != value->epoch)
        head.epochs.push_back({value->epoch, seq});
    }
    if (head.seq == 0) {
      if (it->status().ok() && !in_doubt(events, event_key(key, 1)))
        return std::optional<session_head>();
      return error(codes::storage_corrupt, "nothing of the session can be read");
    }
    head.compact_seq = state.compact_seq;
    head.info.title = state.title;
    head.info.persona_id = state.persona_id;
    head.info.user_id = state.owner;
    head.info.sharing = state.sharing;
    head.info.created_at_ms = state.created_at_ms;
    head.info.updated_at_ms = state.updated_at_ms;
    head.info.message_count = state.message_count;
    head.info.paused = state.paused;
    head.info.busy = true;  // looked at by the next start
    if (was_sealed)
      if (auto done = sealed_->seal_title(key.tenant, head.info); !done) return done.error();
    return std::optional(std::move(head));
  }

  result<void> copy_session_of(const session_key& key, const session_head& head) {
    session_head kept = head;
    std::uint64_t messages = 0;
    const auto last = copy_events(key, head, messages);
    if (!last) return last.error();
    if (*last < head.seq) {
      if (*last < head.first_seq) {
        lose(key, head.seq - head.first_seq + 1);
        return {};
      }
      report_.sessions.push_back({key, head.seq - *last, {head.epoch_of(*last), *last}});
      kept.seq = *last;
      kept.compact_seq = std::min(kept.compact_seq, *last + 1);
      std::erase_if(kept.epochs, [&](const epoch_start& one) { return one.first_seq > *last; });
      kept.info.message_count = messages;
      kept.info.busy = true;  // looked at by the next start: it may end within a turn
    }
    if (!kept.epochs.empty())
      epoch_seen_ = std::max<std::uint64_t>(epoch_seen_, kept.epochs.back().epoch);
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
      // A row of an earlier session of that name may show where the table is left out.
      if (in_doubt(events, view(it->key())) && value->epoch != head.epoch_of(next)) break;
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

  const std::string from_, to_;
  const std::vector<damaged_table>& damaged_;
  sealed_values* const sealed_;
  std::unique_ptr<rocksdb::Env> env_;  // outlives the old store
  rocksdb_event_log *old_ = nullptr, *new_ = nullptr;
  rocksdb::WriteBatch batch_;
  std::uint64_t epoch_seen_ = 0;
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
                           const std::vector<damaged_table>& damaged, sealed_values* sealed,
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
                 : store_rebuild(data_dir, folder, damaged, sealed, report).run();
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
