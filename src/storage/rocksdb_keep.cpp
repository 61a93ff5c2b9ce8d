// The store's keepers: what happens beside its reads and writes. A compaction that meets damage
// leaves its family as it is; what was deleted gives its space back.
#include <rocksdb/convenience.h>
#include <rocksdb/listener.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "storage/rocksdb_event_log.hpp"

namespace soma::storage {
namespace {

constexpr std::size_t told_max = 1024;
constexpr std::size_t deleted_max = 4096;    // sessions; beyond, compaction alone frees space
constexpr std::size_t ranges_at_once = 64;   // while writers wait
constexpr std::size_t compactions_max = 32;  // of a family in one round
constexpr unsigned rounds_max = 4;           // in a row that leave some
constexpr unsigned doublings_max = 4;        // of the time between rounds that find no room
constexpr std::chrono::milliseconds tried_again_after_at_least(100);
constexpr auto documents_after = std::chrono::minutes(10);
constexpr auto flush_looked_at_every = std::chrono::milliseconds(20);
constexpr auto flush_takes_at_most = std::chrono::minutes(2);

// A compaction only rearranges what is kept, so one that cannot read a table has lost nothing, and
// what is committed meanwhile is as safe as ever. (One that cannot write is another matter: the
// same disk takes the commits.)
bool only_reading_failed(const rocksdb::Status& s) {
  if (s.IsCorruption()) return true;
  if (!s.IsIOError() || s.IsNoSpace()) return false;
  const auto text = s.ToString();
  return text.find("While pread") != std::string::npos ||
         text.find("While read") != std::string::npos ||
         text.find("While open a file for random read") != std::string::npos;
}

class background_listener final : public rocksdb::EventListener {
 public:
  background_listener(
      std::function<void(const std::string& family, const std::string& why)> step_aside,
      std::atomic<bool>& no_room)
      : step_aside_(std::move(step_aside)), no_room_(no_room) {}

  // Keeps RocksDB from leaving a full disk by itself: leave_full_disk does.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* by_itself) override {
    *by_itself = false;
  }
  // What stays OK here stops no writes.
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* s) override {
    if (s->IsNoSpace()) no_room_ = true;
    if (reason == rocksdb::BackgroundErrorReason::kCompaction && only_reading_failed(*s))
      *s = rocksdb::Status::OK();
  }
  // It is tried again every second otherwise.
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& job) override {
    if (!job.status.ok() && only_reading_failed(job.status))
      step_aside_(job.cf_name, job.status.ToString());
  }

 private:
  const std::function<void(const std::string&, const std::string&)> step_aside_;
  std::atomic<bool>& no_room_;
};

struct key_range {
  std::string from, to;
};

// Joins neighbours until few are left.
std::vector<key_range> joined(std::vector<key_range> all) {
  std::sort(all.begin(), all.end(),
            [](const key_range& a, const key_range& b) { return a.from < b.from; });
  const std::size_t each = (all.size() + compactions_max - 1) / compactions_max;
  std::vector<key_range> few;
  for (std::size_t n = 0; n < all.size(); ++n) {
    if (few.empty() || (n % each == 0 && all[n].from > few.back().to))
      few.push_back(std::move(all[n]));
    else
      few.back().to = std::max(few.back().to, all[n].to);
  }
  return few;
}

}  // namespace

std::shared_ptr<rocksdb::EventListener> rocksdb_event_log::make_listener() const {
  // Only while the database is open, which the log outlives.
  auto* self = const_cast<rocksdb_event_log*>(this);
  return std::make_shared<background_listener>(
      [self](const std::string& family_name, const std::string& why) {
        self->guard_.ask(store_keeper::clock::now(),
                         [self, family_name, why] { self->step_aside(family_name, why); });
      },
      self->no_room_);
}

void rocksdb_event_log::tell_damage(const error& what, const session_key* session) const {
  if (!options_.on_damage) return;
  {
    const std::lock_guard lock(told_mutex_);
    if (told_.size() >= told_max) return;
    if (!told_.insert(session ? session_prefix(*session) : what.detail).second) return;
  }
  options_.on_damage(what, session);
}

void rocksdb_event_log::step_aside(const std::string& family_name, const std::string& why) {
  {
    const std::shared_lock open(open_mutex_);
    if (!db_) return;
    for (auto* handle : families_)
      if (handle->GetName() == family_name)
        (void)db_->SetOptions(handle, {{"disable_auto_compactions", "true"}});
  }
  tell_damage(error(codes::storage_corrupt, "a compaction of " + family_name +
                                                " cannot read what it should: " + why +
                                                "; there will be none until the next start"),
              nullptr);
}

// ---- what was deleted ----

void rocksdb_event_log::note_deleted(const session_key& key) {
  if (deleted_.size() < deleted_max) deleted_.insert(key);
  owes_space_ = true;
  reclaim_in(seams_.reclaim_after);
}

void rocksdb_event_log::note_deleted_documents() {
  reclaim_in(std::max<std::chrono::milliseconds>(seams_.reclaim_after, documents_after));
}

// One round is asked for at a time, the earlier of two.
void rocksdb_event_log::reclaim_in(std::chrono::milliseconds delay) {
  const auto due = std::max(store_keeper::clock::now() + delay, no_reclaim_before_);
  if (reclaim_due_ && *reclaim_due_ <= due) return;
  reclaim_due_ = due;
  janitor_.ask(due, [this, due] {
    {
      const std::lock_guard lock(write_mutex_);
      if (reclaim_due_ != due) return;  // an earlier one was asked for since, and has been
      reclaim_due_.reset();
    }
    const auto begun = store_keeper::clock::now();
    const auto how_far = reclaim();
    const auto ended = store_keeper::clock::now();
    const std::lock_guard lock(write_mutex_);
    no_reclaim_before_ = ended + seams_.reclaim_rest * (ended - begun);
    if (failed_) return;
    // Looked at again: where there was no room to write tables in, ever more seldom, since trying
    // takes what room there is; and where another compaction or a reader's moment held on to some;
    // that only so often, since a mark that lies over nothing any more may stay where it is.
    rounds_ = how_far == reclaimed::some ? rounds_ + 1 : 0;
    rounds_without_room_ = how_far == reclaimed::none ? rounds_without_room_ + 1 : 0;
    if (how_far == reclaimed::none)
      return reclaim_in(std::max(seams_.reclaim_after, tried_again_after_at_least) *
                        (1u << std::min(rounds_without_room_ - 1, doublings_max)));
    if (!disk_full_) {
      leave_tightness();
      resume_compactions();
    }
    if (!deleted_.empty() || (how_far == reclaimed::some && rounds_ < rounds_max))
      reclaim_in(seams_.reclaim_after);
    else if (!reclaim_due_)
      owes_space_ = false;
  });
}

// Tables that hold nothing but the events of such sessions go at once, unread.
bool rocksdb_event_log::drop_deleted_tables() {
  const std::lock_guard lock(write_mutex_);  // nobody makes a session of that name meanwhile
  if (failed_ || deleted_.empty() || !ready_to_write(room::for_deleting)) return false;
  std::vector<key_range> ranges;
  for (; !deleted_.empty() && ranges.size() < ranges_at_once; deleted_.erase(deleted_.begin())) {
    const auto& key = *deleted_.begin();
    const auto prefix = session_prefix(key);
    const auto head = head_as_of({}, key);
    if (head) {
      ranges.push_back({prefix, event_key(key, head->first_seq)});
    } else if (head.error().code == codes::session_not_found) {
      if (const auto staged = get(staging, prefix); staged && !*staged)
        ranges.push_back({prefix, after_prefix(prefix)});
    }
  }
  std::vector<rocksdb::Slice> bounds;
  bounds.reserve(2 * ranges.size());
  std::vector<rocksdb::RangePtr> all;
  for (const auto& range : ranges) {
    bounds.push_back(slice(range.from));
    bounds.push_back(slice(range.to));
    all.emplace_back(&bounds[bounds.size() - 2], &bounds[bounds.size() - 1]);
  }
  if (!all.empty())
    (void)rocksdb::DeleteFilesInRanges(db_.get(), families_[events], all.data(), all.size(), false);
  return !deleted_.empty();
}

// Where something is owed and there is no room, the store is opened anew: without compactions that
// nobody asked for, which take the room; with all logs in one memtable, of which only that is
// flushed which was not deleted; and clear of the failure, with which RocksDB asks for room for all
// that goes into a compaction by hand, and flushes no third memtable.
bool rocksdb_event_log::make_room_to_flush() {
  if (failed_) return false;
  const auto free_bytes = seams_.free_bytes(options_.data_dir);
  const bool is_short = free_bytes && !tight_ && *free_bytes < flush_needs_bytes();
  if (!owes_space_ || !(disk_full_ || no_room_ || is_short)) return !disk_full_ && !is_short;
  disk_full_ = true;
  return leave_full_disk(room::for_deleting).has_value();
}

// All families in one moment, as database_options says. Writers wait for the change of memtables
// only. A flush that is under way is waited for: a family that has nothing but what is flushed by
// it would keep the log of that moment, until tables are written again.
bool rocksdb_event_log::flush_all() {
  for (bool asked = false; !asked;) {
    {
      const std::lock_guard lock(write_mutex_);
      if (!make_room_to_flush()) return false;
      opened_anew_ = false;
      asked = memtables_waiting() == 0;
      rocksdb::FlushOptions how;
      how.wait = false;
      how.allow_write_stall = true;
      if (asked && !db_->Flush(how, families_).ok()) return false;
    }
    if (!wait_for_flushes()) return false;
  }
  return true;
}

bool rocksdb_event_log::wait_for_flushes() const {
  const auto deadline = store_keeper::clock::now() + flush_takes_at_most;
  while (!no_room_ && !opened_anew_ && !stop_compacting_ && store_keeper::clock::now() < deadline) {
    {
      const std::shared_lock open(open_mutex_);
      if (memtables_waiting() == 0) return true;
    }
    std::this_thread::sleep_for(flush_looked_at_every);
  }
  return false;
}

std::uint64_t rocksdb_event_log::memtables_waiting() const {
  std::uint64_t all = 0;
  for (auto* handle : families_) {
    std::uint64_t count = 0;
    db_->GetIntProperty(handle, rocksdb::DB::Properties::kNumImmutableMemTable, &count);
    all += count;
  }
  return all;
}

void rocksdb_event_log::resume_compactions() {
  if (!quiet_) return;
  quiet_ = false;
  for (auto* handle : families_)
    (void)db_->SetOptions(handle, {{"disable_auto_compactions", "false"}});
}

// What memtables hold, at most: little of it where it was deleted meanwhile.
std::uint64_t rocksdb_event_log::flush_needs_bytes() const {
  constexpr std::uint64_t at_least = 2u << 20;
  std::uint64_t bytes = at_least;
  for (auto* handle : families_) {
    std::uint64_t one = 0;
    db_->GetIntProperty(handle, rocksdb::DB::Properties::kCurSizeAllMemTables, &one);
    bytes += one;
  }
  return std::min<std::uint64_t>(bytes, 2 * seams_.wal_bytes);
}

bool rocksdb_event_log::any_deletions() const {
  rocksdb::TablePropertiesCollection tables;
  if (!db_->GetPropertiesOfAllTables(families_[events], &tables).ok()) return false;
  return std::any_of(tables.begin(), tables.end(),
                     [](const auto& table) { return table.second->num_range_deletions > 0; });
}

// Compacts what lies under the marks of deletions, down to where nothing lies under them any more.
// write_mutex_ is never asked for with open_mutex_ held: whoever leaves a full disk does it the
// other way round.
rocksdb_event_log::reclaimed rocksdb_event_log::reclaim() {
  while (drop_deleted_tables()) {
  }
  if (!flush_all()) return reclaimed::none;
  const std::shared_lock open(open_mutex_);
  if (!db_ || opened_anew_) return reclaimed::none;
  for (const auto f : {events, sessions, documents, snapshots}) {
    rocksdb::TablePropertiesCollection tables;
    rocksdb::ColumnFamilyMetaData now;
    if (!db_->GetPropertiesOfAllTables(families_[f], &tables).ok()) continue;
    db_->GetColumnFamilyMetaData(families_[f], &now);
    std::vector<key_range> ranges;
    for (const auto& level : now.levels)
      for (const auto& file : level.files) {
        const auto at = tables.find(file.db_path + file.name);
        if (at != tables.end() && at->second->num_deletions + at->second->num_range_deletions > 0)
          ranges.push_back({file.smallestkey, file.largestkey});
      }
    if (ranges.empty()) continue;
    rocksdb::CompactRangeOptions how;
    how.exclusive_manual_compaction = false;
    how.canceled = &stop_compacting_;
    for (const auto& range : joined(std::move(ranges))) {
      if (stop_compacting_ || no_room_) return reclaimed::none;
      const auto from = slice(range.from), to = slice(range.to);
      (void)db_->CompactRange(how, families_[f], &from, &to);
    }
  }
  for (const auto& tenant : sizes_.known()) measure(tenant);
  // Looks for files that are of no use any more: a log of writes that was being synced when its
  // tables were written stays until somebody does.
  if (db_->DisableFileDeletions().ok()) (void)db_->EnableFileDeletions(false);
  if (stop_compacting_ || no_room_) return reclaimed::none;
  return any_deletions() ? reclaimed::some : reclaimed::all;
}

}  // namespace soma::storage
